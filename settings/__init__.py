"""The parts of `config.py`: how a setting is declared, parsed, checked and completed.

Nothing here imports the application or reads the environment.
"""
