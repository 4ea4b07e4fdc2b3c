"""Talking to two models: what the chat screens stand on, without the terminal library."""
