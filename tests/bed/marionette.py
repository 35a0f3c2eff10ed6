# SPDX-License-Identifier: MIT
"""Thunderbird without a screen, driven through its remote protocol (Marionette): scripts run inside it and return JSON."""
import json
import os
import socket
import subprocess
import tempfile

from bed import gk


class Thunderbird:
    """with Thunderbird(folder, {"pref": value}) as it: it.run("return 1 + 1")"""

    PREFS = {"marionette.enabled": True, "remote.prefs.recommended": True, "app.update.enabled": False, "app.update.auto": False,
             "datareporting.policy.dataSubmissionPolicyBypassNotification": True, "toolkit.telemetry.server": "", "mailnews.start_page.enabled": False,
             "mail.shell.checkDefaultClient": False, "mail.rights.version": 1, "mail.spotlight.firstRunDone": True, "mail.provider.enabled": False,
             "network.captive-portal-service.enabled": False, "network.connectivity-service.enabled": False, "extensions.update.enabled": False,
             "services.settings.server": "data:,", "mail.biff.alert.show": False, "mail.chat.enabled": False}

    def __init__(self, folder, prefs):
        self.profile = tempfile.mkdtemp(prefix="profile-", dir=folder)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        with open(f"{self.profile}/user.js", "w", encoding="utf-8") as file:
            for name, value in {**self.PREFS, **prefs, "marionette.port": self.port}.items():
                file.write(f"user_pref({json.dumps(name)}, {json.dumps(value)});\n")
        self.last = 0

    def __enter__(self):
        with open(f"{self.profile}/said", "wb") as said:
            self.process = subprocess.Popen(["thunderbird", "--headless", "--no-remote", "--marionette", "--remote-allow-system-access", "--profile", self.profile], stdout=said, stderr=said,
                                            stdin=subprocess.DEVNULL, start_new_session=True, env={**os.environ, "HOME": self.profile, "MOZ_HEADLESS": "1"})
        try:
            self.connection = gk.wait_for("Thunderbird", self._connected, 120)
            self.connection.settimeout(120)
            self.heard = self.connection.makefile("rb")
            self._message()
            self._ask("WebDriver:NewSession", capabilities={})
            self._ask("Marionette:SetContext", value="chrome")
        except BaseException:
            self.__exit__()
            raise
        return self

    def _connected(self):
        if self.process.poll() is not None:
            raise gk.Failed(f"Thunderbird ended: {gk.contents(f'{self.profile}/said')[-2000:].decode(errors='replace')}")
        try:
            return socket.create_connection(("127.0.0.1", self.port), 5)
        except OSError:
            return None

    def _message(self):
        """One message: its length in digits, a colon, JSON."""
        length = b""
        while not length.endswith(b":"):
            byte = self.heard.read(1)
            if not byte:
                raise gk.Failed("Thunderbird hung up")
            length += byte
        return json.loads(self.heard.read(int(length[:-1])))

    def _ask(self, command, **words):
        self.last += 1
        text = json.dumps([0, self.last, command, words]).encode()
        self.connection.sendall(b"%d:%s" % (len(text), text))
        _, _, error, result = self._message()
        if error:
            raise gk.Failed(f"{command}: {error.get('message')}\n{error.get('stacktrace', '')}")
        return result

    def run(self, script, *words):
        """What SCRIPT returns, or what the promise that it returns becomes; WORDS are its `args`."""
        script = f"""const args = [...arguments], done = args.pop();
            const {{ MailServices }} = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
            (async () => {{ {script} }})().then(value => done([value ?? null, null]), error => done([null, String(error) + error.stack]));"""
        value, error = self._ask("WebDriver:ExecuteAsyncScript", script=script, args=list(words), newSandbox=True, scriptTimeout=60000)["value"]
        if error:
            raise gk.Failed(error)
        return value

    def accept(self, certificate, ports):
        """Takes CERTIFICATE (PEM) on localhost's PORTS as ours, as one does once by hand."""
        self.run("""const database = Cc["@mozilla.org/security/x509certdb;1"].getService(Ci.nsIX509CertDB);
            const overrides = Cc["@mozilla.org/security/certoverride;1"].getService(Ci.nsICertOverrideService);
            for (const port of args[1]) overrides.rememberValidityOverride("localhost", port, {}, database.constructX509FromBase64(args[0]), true);""",
                 "".join(line for line in certificate.splitlines() if not line.startswith("-")), ports)

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for name in ("heard", "connection"):
            if hasattr(self, name):
                getattr(self, name).close()
