"""Several workers behind one port: the process that starts them, watches them and answers for all (`run --workers`).

It has no mitmproxy in it. It opens the ports and the workers inherit them; each worker is the ordinary proxy. A channel
to each, a pair of sockets, carries what a worker counts and tells; its end says that the other side is gone.
"""
