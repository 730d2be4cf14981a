"""The connector `sandbox_perpetual`, in the layout that hummingbot expects."""
