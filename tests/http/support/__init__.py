"""What the HTTP tests share: the server, the wire, the contract, models."""
