"""What pages and programs are told of transfers while they watch: see `hub`."""
