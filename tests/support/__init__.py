"""What tests share: small networks, stores and configs, a serial run, crashes, an S3 server."""
