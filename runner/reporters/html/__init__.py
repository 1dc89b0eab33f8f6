"""`runner report`: one HTML file about a sweep, which needs only a browser.

`report` reads the plan and the state; every other module turns data into text.
"""
