"""What is served beside the page: pixels, and files to download."""
