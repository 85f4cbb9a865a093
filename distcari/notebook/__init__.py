"""distcari in a notebook: experiments in Python, runs with a progress bar, pictures side by side."""
