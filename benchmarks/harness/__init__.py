"""How cases are named, run apart, resumed, printed and written."""
