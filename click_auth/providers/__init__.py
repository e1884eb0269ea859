"""The services whose credentials an application holds, and how they are spoken to."""
