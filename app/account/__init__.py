"""The Plivo account over its REST API."""
