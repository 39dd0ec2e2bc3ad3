"""The HTTP API under /api/v1/. Rules live in services and submissions; here they are only translated."""
