"""API v1: routes, errors and their OpenAPI description, as one FastAPI app that knows no server."""
