"""What the engine keeps: mapped classes without behaviour, one module a subject."""
