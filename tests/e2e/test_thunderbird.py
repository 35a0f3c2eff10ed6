# SPDX-License-Identifier: MIT
# labels: slow
# timeout: 600
"""Thunderbird, without a screen, as one uses it: reads, flags, sends with a copy in Sent, and files a message in Archive."""
import base64
import os
import unittest

from bed import case, gk, mail, marionette

COUNT = 5
HEADERS_AND_BODY = """
const folder = MailServices.accounts.accounts[0].incomingServer.rootFolder.getChildNamed("INBOX");
const sources = [];
for (const header of [...folder.messages]) {
    const uri = folder.getUriForMsg(header);
    sources.push(await new Promise((resolve, reject) => {
        let source = "";
        MailServices.messageServiceFromURI(uri).streamMessage(uri, {
            QueryInterface: ChromeUtils.generateQI(["nsIStreamListener", "nsIRequestObserver"]),
            onStartRequest() {},
            onStopRequest(request, status) { Components.isSuccessCode(status) ? resolve(btoa(source)) : reject(new Error("status " + status)); },
            onDataAvailable(request, stream, offset, count) {
                const bytes = Cc["@mozilla.org/binaryinputstream;1"].createInstance(Ci.nsIBinaryInputStream);
                bytes.setInputStream(stream);
                source += bytes.readBytes(count);
            },
        }, null, null, false, "");
    }));
}
return sources;
"""
SEND = """
const identity = MailServices.accounts.defaultAccount.defaultIdentity;
const fields = Cc["@mozilla.org/messengercompose/composefields;1"].createInstance(Ci.nsIMsgCompFields);
Object.assign(fields, { from: identity.email, to: args[0], subject: args[1], fcc: identity.fccFolderURI ?? identity.fccFolder });
const file = Cc["@mozilla.org/file/local;1"].createInstance(Ci.nsIFile);
file.initWithPath(args[2]);
const send = Cc["@mozilla.org/messengercompose/send;1"].createInstance(Ci.nsIMsgSend);
await new Promise((resolve, reject) => send.sendMessageFile(identity, MailServices.accounts.defaultAccount.key, fields, file, false, false,
    Ci.nsIMsgSend.nsMsgDeliverNow, null, {
        QueryInterface: ChromeUtils.generateQI(["nsIMsgSendListener", "nsIMsgCopyServiceListener"]),
        onStartSending() {}, onProgress() {}, onSendProgress() {}, onStatus() {}, onGetDraftFolderURI() {}, onSendNotPerformed() {}, onTransportSecurityError() {},
        onStopSending(id, status) { if (!Components.isSuccessCode(status)) reject(new Error("sending: status " + status)); },
        onStartCopy() {}, setMessageKey() {}, getMessageId() { return ""; },
        onStopCopy(status) { Components.isSuccessCode(status) ? resolve() : reject(new Error("copy to Sent: status " + status)); },
    }, null, ""));
"""
FILE_AWAY = """
const root = MailServices.accounts.accounts[0].incomingServer.rootFolder;
const inbox = root.getChildNamed("INBOX"), archive = root.getChildNamed("Archive");
const header = [...inbox.messages].find(one => one.messageId === args[0]);
await new Promise((resolve, reject) => MailServices.copy.copyMessages(inbox, [header], archive, true, {
    QueryInterface: ChromeUtils.generateQI(["nsIMsgCopyServiceListener"]),
    onStartCopy() {}, onProgress() {}, setMessageKey() {}, getMessageId() { return ""; },
    onStopCopy(status) { Components.isSuccessCode(status) ? resolve() : reject(new Error("move: status " + status)); },
}, null, false));
"""


class WithThunderbird(case.Case):
    def prefs(self):
        account, server, identity, smtp = "mail.account.account1", "mail.server.server1", "mail.identity.id1", "mail.smtpserver.smtp1"
        folders = "imap://ann%40a.test@localhost"
        return {
            "mail.accountmanager.accounts": "account1", "mail.accountmanager.defaultaccount": "account1",
            f"{account}.server": "server1", f"{account}.identities": "id1",
            f"{server}.type": "imap", f"{server}.hostname": "localhost", f"{server}.port": self.gk.port("imaps"), f"{server}.userName": "ann@a.test",
            f"{server}.name": "gk", f"{server}.socketType": 3, f"{server}.authMethod": 3, f"{server}.login_at_startup": False, f"{server}.check_new_mail": False,
            f"{server}.autosync_offline_stores": False,
            f"{identity}.useremail": "ann@a.test", f"{identity}.fullName": "Ann", f"{identity}.smtpServer": "smtp1", f"{identity}.valid": True,
            f"{identity}.fcc": True, f"{identity}.fcc_folder": f"{folders}/Sent", f"{identity}.fcc_folder_picker_mode": "1",
            "mail.smtpservers": "smtp1", "mail.smtp.defaultserver": "smtp1", f"{smtp}.type": "smtp",
            f"{smtp}.hostname": "localhost", f"{smtp}.port": self.gk.port("submission"), f"{smtp}.username": "ann@a.test", f"{smtp}.try_ssl": 2, f"{smtp}.authMethod": 3,
        }

    def counts(self, thunderbird):
        return thunderbird.run("""const folders = MailServices.accounts.accounts[0].incomingServer.rootFolder.descendants;
            return Object.fromEntries(folders.map(folder => [folder.name.toUpperCase(), folder.getTotalMessages(false)]));""")

    def test_a_day_with_thunderbird(self):
        messages = mail.Maker(71).messages(COUNT)
        for message in messages:
            self.deliver(message)
        with marionette.Thunderbird(self.folder, self.prefs()) as thunderbird:
            thunderbird.accept(gk.contents(f"{self.gk.root}/keys/tls/default.crt").decode(), [self.gk.port("imaps"), self.gk.port("submission")])
            thunderbird.run("""const server = MailServices.accounts.accounts[0].incomingServer;
                for (const origin of ["imap://localhost", "smtp://localhost"]) {
                    const login = Cc["@mozilla.org/login-manager/loginInfo;1"].createInstance(Ci.nsILoginInfo);
                    login.init(origin, null, origin, "ann@a.test", args[0], "", "");
                    await Services.logins.addLoginAsync(login);
                }
                server.password = args[0];
                server.performExpand(null);
                server.getNewMessages(server.rootFolder.getChildNamed("INBOX"), null, null);""", self.gk.PASSWORD)
            # Reads: folders, headers, and the bytes of every message.
            self.wait("Thunderbird's list", lambda: self.counts(thunderbird).get("INBOX") == COUNT and {"SENT", "ARCHIVE"} <= set(self.counts(thunderbird)), 60)
            sources = [base64.b64decode(source) for source in thunderbird.run(HEADERS_AND_BODY)]
            self.assertEqual(sorted(map(case.digest, sources)), sorted(map(case.digest, messages)))

            # Flags: a star and "read" on one message reach the names of its file.
            starred = thunderbird.run("""const folder = MailServices.accounts.accounts[0].incomingServer.rootFolder.getChildNamed("INBOX");
                const header = [...folder.messages][1];
                folder.markMessagesFlagged([header], true);
                folder.markMessagesRead([header], true);
                return header.messageId;""")
            def flagged():
                found = [path for path in self.gk.files("ann@a.test") if "F" in path.partition(":2,")[2] and "S" in path.partition(":2,")[2]]
                return [path for path in found if f"<{starred}>".encode() in gk.contents(path)]
            self.assertEqual(len(self.wait("the star in the Maildir", flagged, 30)), 1)

            # Sends: by submission to bob, with a copy in Sent.
            text = mail.Maker(72, sender="ann@a.test", recipient="bob@a.test").message()
            path = f"{self.folder}/outgoing.eml"
            with open(path, "wb") as file:
                file.write(text)
            thunderbird.run(SEND, "bob@a.test", "from Thunderbird", path)
            for account, mailbox in (("bob@a.test", "INBOX"), ("ann@a.test", "Sent")):
                (arrived,) = self.wait(f"{account}'s {mailbox}", lambda: self.gk.files(account, mailbox), 30)
                self.assertEqual(case.digest(gk.contents(arrived)), case.digest(text))
            accepted = [event for event in self.gk.events("message.accepted") if event.get("actor") == "ann@a.test"]
            self.assertEqual([event.get("to") for event in accepted], ["bob@a.test"])

            # Files: the starred message moves to Archive, star and all.
            thunderbird.run(FILE_AWAY, starred)
            (archived,) = self.wait("the message in Archive", lambda: self.gk.files("ann@a.test", "Archive"), 30)
            self.assertIn(f"<{starred}>".encode(), gk.contents(archived))
            self.assertIn("F", os.path.basename(archived).partition(":2,")[2])
            self.wait("INBOX without it", lambda: len(self.gk.files("ann@a.test")) == COUNT - 1, 30)


if __name__ == "__main__":
    unittest.main()
