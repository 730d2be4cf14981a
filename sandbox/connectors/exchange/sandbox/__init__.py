"""The connector `sandbox`, in the layout that hummingbot expects."""
