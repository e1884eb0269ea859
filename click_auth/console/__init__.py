"""What is said to a person, or to a program in their place: on stderr, safely, in text or JSON."""
