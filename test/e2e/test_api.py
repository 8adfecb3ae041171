"""Every path of the API, asked once, answers as docs/openapi.json says."""
