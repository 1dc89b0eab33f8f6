"""`runner report`: one HTML file about a sweep, that needs nothing but a browser.

`gathering` reads the plan and the state; everything else makes text of what it found and touches nothing.
"""
