"""A power cut: what a server wrote and synced is recorded, and its files are rebuilt as a disk could leave them."""
