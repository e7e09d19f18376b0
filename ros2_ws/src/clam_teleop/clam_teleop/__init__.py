"""The teleoperation node, the web server that its page comes from, and the page."""
