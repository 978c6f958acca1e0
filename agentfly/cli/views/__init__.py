"""What people see: events and records drawn with rich, which is imported in this package only."""
