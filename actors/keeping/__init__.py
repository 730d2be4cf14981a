"""What keeps the server itself: database, journal, disk, supervision, the service manager."""
