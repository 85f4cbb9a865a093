"""Two to four pictures beside each other, under one zoom."""
