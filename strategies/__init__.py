"""The controllers and scripts that ship with the product."""
