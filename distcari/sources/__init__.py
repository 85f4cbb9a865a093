"""Where models and images come from. Every bad source is an InputError that names the place and the remedy."""
