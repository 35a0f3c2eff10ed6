# SPDX-License-Identifier: MIT
"""The three servers of the differential test, each with accounts for every script and the same mailboxes in them."""
import contextlib
import json
import os
import shutil
import sys
import tempfile

from bed import cyrus, dovecot, gk
from differential.dialogue import Dialogue

# In memory where there is such a place: what is durable is other tests' matter, and every script has an account of its own.
WITHIN = "/dev/shm" if os.path.isdir("/dev/shm") and shutil.disk_usage("/dev/shm").free > 500_000_000 else None
PASSWORD = "horse-7-battery"
DOVECOT = """
mail_plugins = quota
imap_metadata = yes
mail_attribute_dict = file:%h/attributes
protocol imap {
  mail_plugins = quota imap_quota imap_zlib
}
plugin {
  quota = count:User quota
  quota_rule = *:storage=1G
  quota_vsizes = yes
}
mail_fsync = never
namespace inbox {
  mailbox INBOX {
    auto = subscribe
  }
  mailbox Drafts {
    auto = subscribe
    special_use = \\Drafts
  }
  mailbox Sent {
    auto = subscribe
    special_use = \\Sent
  }
  mailbox Junk {
    auto = subscribe
    special_use = \\Junk
  }
  mailbox Trash {
    auto = subscribe
    special_use = \\Trash
  }
  mailbox Archive {
    auto = subscribe
    special_use = \\Archive
  }
}
"""


def log_in_by_name(connection, account):
    connection.command(f'LOGIN {account} "{PASSWORD}"'.encode())


class Server:
    def __init__(self, name, port, log_in, messages):
        self.name, self.port = name, port
        self.dialogue = Dialogue(port, log_in, messages)
        connection = self.dialogue.open("capable")
        connection.command(b"CAPABILITY")
        words = b" ".join(connection.until_answered()).decode("latin-1").split()
        connection.close()
        self.capabilities = {word.upper() for word in words}

    def can(self, script):
        return self.name not in script.without and all(any(one in self.capabilities for one in need.upper().split("|")) for need in script.needs)


def start(stack, accounts, messages):
    """[gk, Dovecot, Cyrus if it is there], running until STACK ends."""
    found = [start_gk(stack, accounts, messages)]
    daemon = stack.enter_context(dovecot.Dovecot(None, settings=DOVECOT, password=PASSWORD, within=WITHIN))
    found.append(Server("dovecot", daemon.port, log_in_by_name, messages))
    why = cyrus.missing()
    if why:
        print(f"\n{'*' * 100}\nNOT COMPARED WITH CYRUS. {why}.\n{'*' * 100}\n", file=sys.stderr)
        return found
    peer = stack.enter_context(cyrus.Cyrus(within=WITHIN))
    found.append(Server("cyrus", peer.port, lambda connection, account: connection.command(f"AUTHENTICATE PLAIN {peer.plain(account)}".encode()), messages))
    return found


def start_gk(stack, accounts, messages):
    """Accounts by the hundred: one is made, the others are declared with its password's hash."""
    instance = gk.Instance("mx.a.test", {"a.test": []},
                           "[auth]\nplaintext_without_tls = true\n[imap]\nbad_commands = 1000\n[delivery]\ngroup_flush_from = 1000\n",
                           root=tempfile.mkdtemp(prefix="gk-", dir=WITHIN), up_options=("--only", "front,imapd,authd"))
    stack.callback(shutil.rmtree, instance.root, ignore_errors=True)
    stack.push(lambda kind, error, trace: instance.__exit__(kind, error, trace))
    instance.add_user("capable@a.test", PASSWORD)
    gk.run("gk-user", "change", "capable@a.test", "--quota", "1GB", "--root", instance.root)
    pattern = json.loads(gk.run("gk-user", "export", "--root", instance.root).splitlines()[0])
    declared = f"{instance.root}/declared"
    with open(declared, "w", encoding="utf-8") as file:
        for account in accounts:
            file.write(json.dumps({**pattern, "account": f"{account}@a.test"}) + "\n")
    gk.run("gk-user", "apply", "--yes", "--root", instance.root, declared)
    os.unlink(declared)
    instance.start()
    return Server("gk", instance.port("imap"), lambda connection, account: log_in_by_name(connection, f"{account}@a.test"), messages)


@contextlib.contextmanager
def all_of_them(accounts, messages):
    with contextlib.ExitStack() as stack:
        yield start(stack, accounts, messages)
