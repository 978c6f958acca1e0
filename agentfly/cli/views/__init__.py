"""What people see: events and records drawn with rich; imported by commands only when they draw."""
