"""polyweb, the project: knows every app, is known by none. Import the parts, not this package."""
