# SPDX-License-Identifier: MIT
"""A web server of MTA-STS policies: FOLDER/NAME is what https://NAME/.well-known/mta-sts.txt says. policy_web.py FOLDER CERTIFICATE KEY"""
import http.server
import os
import ssl
import sys


class Policies(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        path = f"{sys.argv[1]}/{os.path.basename(self.headers.get('Host', ''))}"
        found = self.path == "/.well-known/mta-sts.txt" and os.path.isfile(path)
        body = b"no"
        if found:
            with open(path, "rb") as file:
                body = file.read()
        self.send_response(200 if found else 500)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    server = http.server.ThreadingHTTPServer(("0.0.0.0", 443), Policies)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[2], sys.argv[3])
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.serve_forever()
