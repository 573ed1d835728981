"""WeChat Official Account: what WeChat posts here, and what is sent to residents through its interfaces."""
