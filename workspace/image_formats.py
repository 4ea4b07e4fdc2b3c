"""Which images are opened, wherever images of data are."""

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
"""As Pillow calls them. Others (EPS, PDF …) would run other programs, or hold no pixels."""
