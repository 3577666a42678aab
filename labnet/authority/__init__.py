"""
The lab's certificate authority: makes the certificates of the lab's servers, and those that the proxy shows
while it looks into HTTPS.
"""
