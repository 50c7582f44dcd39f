"""What is measured: every detector by name."""
