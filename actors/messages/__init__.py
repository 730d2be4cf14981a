"""What may be asked and answered, one file a router."""
