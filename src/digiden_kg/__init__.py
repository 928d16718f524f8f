"""Knowledge graph of the DIGIDEN grants."""
