"""The library of controllers, scripts and configurations, and what is checked of them."""
