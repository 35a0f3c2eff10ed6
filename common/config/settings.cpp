// SPDX-License-Identifier: MIT
#include "common/config/config.hpp"

// The one table of settings: one row is one setting; sorted by key, as a test checks (and look-ups need).
namespace gk::config {

namespace {

using enum Type;
constexpr std::int64_t kMinute = 60, kHour = 3600, kDay = 86400;
constexpr std::int64_t kMB = 1 << 20;

// clang-format off
const std::vector<Setting> kSettings = {
    // key, type, default, help, least, most, choices
    {"arc.domain", String, "", "The domain that seals mail that is passed on through an alias; empty: that of the alias."},
    {"arc.seal", Boolean, "true", "Seal mail from outside that leaves through an alias (ARC), by an active DKIM key of arc.domain or the nearest domain above it."},
    {"arc.trusted_sealers", StringList, "", "Domains (with all below them) whose ARC seal is believed: what they saw pass DMARC is let through though it fails it here."},
    {"auth.address_failures", Integer, "20", "Failed logins from one address (an IPv6 /64) within auth.lockout_time after which it is locked out; 0 never.", 0, 1'000'000},
    {"auth.app_passwords_only", Boolean, "false", "Refuse the main password to mail protocols: every client needs an app password."},
    {"auth.backoff", Duration, "1s", "Delay before the answer to a failed login; it doubles with each further failure up to auth.backoff_most.", 0, kMinute},
    {"auth.backoff_most", Duration, "8s", "The longest delay before the answer to a failed login.", 0, kMinute},
    {"auth.cache_time", Duration, "5m", "How long a verified password is remembered, as an HMAC under a random key, to spare chatty clients the hashing; 0 never.", 0, kHour},
    {"auth.connections", Integer, "2048", "Open connections to the auth socket, one thread each; those of gk-smtpd and gk-frontd fit in at their own limits.", 1, 10'000},
    {"auth.exchange_timeout", Duration, "1m", "Time for one step of an authentication exchange.", 1, kHour},
    {"auth.hashing_threads", Integer, "0", "Password hashes computed at the same time; 0 is the number of processors.", 0, 256},
    {"auth.lockout_failures", Integer, "10", "Failed logins to one account within auth.lockout_time after which it is locked out; 0 never.", 0, 1'000'000},
    {"auth.lockout_time", Duration, "15m", "How long failures count, and how long a lock-out lasts.", 1, kDay},
    {"auth.main", String, "scram-sha-256", "How main passwords are stored; with argon2id the SCRAM mechanisms know app passwords only.", 0, 0, {"argon2id", "scram-sha-256"}},
    {"auth.plaintext_without_tls", Boolean, "false", "Offer PLAIN and LOGIN on connections without TLS."},
    {"auth.remembered", Integer, "10000", "Accounts, and addresses, whose failures are remembered; past it the oldest are forgotten.", 100, 1'000'000},
    {"auth.scram", String, "auto", "Whether to offer SCRAM-SHA-256: auto does where main passwords are stored so that it works.", 0, 0, {"always", "auto", "never"}},
    {"auth.scram_iterations", Integer, "65536", "Rounds of PBKDF2 in new SCRAM records (RFC 7677 wants at least 4096). Clients that use Cyrus SASL, mbsync among them, refuse more than 65536.", 4096, 10'000'000},
    {"auth.ticket_time", Duration, "30s", "How long a login ticket may be redeemed.", 1, 10 * kMinute},
    {"delivery.bounces", String, "accept", "Delivery status notifications that come from outside: accept all, or refuse (550 5.7.1) those about messages that the account is not known to have sent within queue.remember_sent.", 0, 0, {"accept", "known"}},
    {"delivery.connections", Integer, "1000", "LMTP connections at the same time, one thread each.", 1, 100'000},
    {"delivery.gather_us", Integer, "4000", "Microseconds that the flush of a directory waits for messages about to be renamed into it, where they do not share flushes of the file system; a message alone never waits.", 0, 1'000'000},
    {"delivery.group_flush_from", Integer, "24", "From how many deliveries at the same time they share flushes of the whole file system, in place of flushes of each file and directory; 0 never.", 0, 100'000},
    {"delivery.idle_timeout", Duration, "10m", "How long an LMTP client may be silent.", 1, kDay},
    {"delivery.max_delivered_to", Integer, "50", "Delivered-To fields in a message that leaves through an alias, past which it is called a loop.", 1, 10'000},
    {"delivery.max_recipients", Integer, "1000", "Recipients in one LMTP transaction.", 1, 1'000'000},
    {"delivery.memory", Size, "256kB", "How much of a message is held in memory while it is read; past it, an unnamed file.", 1024, 1024 * kMB},
    {"delivery.open_accounts", Integer, "256", "Accounts whose index and directories stay open between messages.", 1, 100'000},
    {"delivery.parallel", Integer, "8", "Accounts that one message is written to at the same time.", 1, 256},
    {"delivery.subaddress_delimiter", String, "+", "What parts the detail from the local-part (ann+lists@a.test); empty for no sub-addresses."},
    {"delivery.subaddress_mailbox", String, "existing", "File mail for ann+lists into her mailbox lists: never, if it exists, or making it.", 0, 0, {"create", "existing", "never"}},
    {"directory.alias_depth", Integer, "20", "Aliases that lead to aliases, at most.", 1, 100},
    {"directory.alias_size", Integer, "10000", "Addresses that one recipient expands to, at most.", 1, 1'000'000},
    {"directory.postmaster", String, "", "The address that receives mail for postmaster where a domain has no such account or alias; empty: the domain's first administrator, else its oldest account."},
    {"dkim.canonicalization", String, "relaxed/relaxed", "How header and body of what our accounts send are brought into a form that survives transport before they are signed (RFC 6376, 3.4).", 0, 0, {"relaxed/relaxed", "relaxed/simple", "simple/relaxed", "simple/simple"}},
    {"dkim.connections", Integer, "256", "Connections to gk-dkim at the same time, one thread each; gk-queue keeps one for each message that it signs at the moment.", 1, 10'000},
    {"dkim.expires", Duration, "7d", "How long a signature is good (x=); it is made at each attempt to send; 0 for ever.", 0, 3650 * kDay},
    {"dkim.name_servers", StringList, "", "Name servers (IP, IP@PORT) that must all show a new DKIM key before it signs; empty: those of its zone."},
    {"dkim.remove_after", Duration, "14d", "How long a retired DKIM key stays in DNS for the mail that it signed, before it is removed.", kDay, 365 * kDay},
    {"dkim.required", Boolean, "true", "Mail that our accounts send waits while gk-dkim cannot be asked; false: it goes out unsigned. A domain without active keys is never waited for."},
    {"dkim.rotate_after", Duration, "180d", "Age at which gk-dkim rotate makes a successor of a DKIM key, which signs once DNS shows it; 0 never.", 0, 3650 * kDay},
    {"dkim.sign", Boolean, "true", "Sign what our accounts send, and our own notifications and reports, by the active keys of the domain in From or the nearest above it."},
    {"dkim.timeout", Duration, "10s", "Time for an answer of gk-dkim.", 1, 5 * kMinute},
    {"dmarc.exempt_domains", StringList, "", "Author domains, with all below them, whose DMARC policy is not applied; reports name it local_policy."},
    {"dmarc.honour_pct", Boolean, "true", "Apply the policy of a DMARC record that has pct= and no t= to that share of the messages that fail, and one step less to the rest (RFC 7489, 6.6.4); otherwise to all of them (RFC 9989)."},
    {"dmarc.max_author_domains", Integer, "5", "Domains in a message's From field that DMARC is evaluated for, the strictest answer counting; a message that names more is refused.", 1, 50},
    {"dmarc.max_queries", Integer, "40", "DNS lookups for DMARC records for one author domain; its walk up the tree takes eight at most, what is left is for the domains of SPF and DKIM.", 8, 1000},
    {"dmarc.most_severe", String, "reject", "The harshest that is done to a message that fails DMARC, whatever is published. RFC 9989, 7.4, wants quarantine where nothing else speaks against the message.", 0, 0, {"none", "quarantine", "reject"}},
    {"dmarc.public_suffix_fallback", Boolean, "true", "Where a domain's DMARC record has the form of RFC 7489 and says nothing of psd, find its organization by the public suffix list too; otherwise by the tree walk of RFC 9989 alone."},
    {"dmarc.public_suffix_list", String, "", "The list for it, as text or compiled; empty: the system's (Debian: the package publicsuffix)."},
    {"dmarc.trusted_forwarders", StringList, "", "Clients that forward others' mail and break its authentication: networks, and domains at or below which the client's confirmed name is. What fails DMARC is let through from them; reports name it trusted_forwarder."},
    {"dns.queries", Integer, "256", "DNS lookups under way at the same time; more wait.", 1, 10'000},
    {"dns.resolver", StringList, "", "Name servers as IP, IP@PORT or [IP]:PORT; empty: those of /etc/resolv.conf; the one word recursive: ask the root servers ourselves."},
    {"dns.stubs", Table, "", "Zones with name servers of their own: zone = \"IP@PORT …\"."},
    {"dns.timeout", Duration, "20s", "Time for one DNS lookup.", 1, 5 * kMinute},
    {"dns.trust_anchor_file", String, "", "DS or DNSKEY records of the root (or of test zones), with which DNSSEC is validated; empty: no validation."},
    {"front.auth_exchanges", Integer, "256", "Authentication exchanges that gk-frontd has under way at the same time; more wait, and take the place of clients that do not go on.", 1, 4096},
    {"front.connections", Integer, "10000", "Connections to gk-frontd at the same time; more are refused.", 1, 1'000'000},
    {"front.connections_per_address", Integer, "50", "Connections to gk-frontd from one address (an IPv6 /64); loopback and server.trusted_networks are exempt.", 1, 1'000'000},
    {"front.handshake_timeout", Duration, "15s", "Time for a TLS handshake.", 1, 10 * kMinute},
    {"front.login_failures", Integer, "5", "Failed logins on one connection after which it is ended.", 1, 1000},
    {"front.login_timeout", Duration, "1m", "Time from connection to login.", 1, kHour},
    {"front.stall_timeout", Duration, "5m", "How long a client may take nothing of what waits for it.", 1, kDay},
    {"imap.bad_commands", Integer, "20", "Commands in a row that make no sense, after which an IMAP session is ended.", 1, 10'000},
    {"imap.command_size", Size, "256kB", "Bytes of one IMAP command, its literals included but not the message of APPEND.", 8192, 64 * kMB},
    {"imap.confine", String, "prefer", "Whether a session may be served where the kernel lacks Landlock or seccomp, which keep it from all but its account. prefer: it may, and the log says so. require: it is refused.", 0, 0, {"prefer", "require"}},
    {"imap.drain_timeout", Duration, "10s", "How long sessions may take to say goodbye when gk-imapd stops.", 0, 10 * kMinute},
    {"imap.idle_timeout", Duration, "30m", "How long an IMAP client may be silent (RFC 9051, 5.4: at least 30 minutes).", 1, 7 * kDay},
    {"imap.line_size", Size, "64kB", "Bytes of one line of an IMAP command.", 1000, 16 * kMB},
    {"imap.literal_size", Size, "64kB", "Bytes of one literal in an IMAP command, the message of APPEND apart.", 1000, 16 * kMB},
    {"imap.max_message", Size, "100MB", "Bytes of a message that a client appends.", 1000, 2048 * kMB},
    {"imap.sessions", Integer, "10000", "IMAP sessions at the same time, one process each.", 1, 1'000'000},
    {"imap.sessions_per_account", Integer, "100", "IMAP sessions of one account at the same time.", 1, 100'000},
    {"imap.sleep_after", Duration, "10s", "How long after its last word an IMAP client in IDLE keeps its process; then gk-frontd alone holds the connection, until there is something to do. 0: for ever.", 0, kDay},
    {"imap.sleep_silent_after", Duration, "2m", "The same for an IMAP client that is silent without IDLE.", 0, kDay},
    {"imap.start_timeout", Duration, "10s", "Time for a new session to be named by the front and confirmed by gk-authd.", 1, 10 * kMinute},
    {"imap.write_timeout", Duration, "5m", "How long an IMAP client may take nothing of what it asked for.", 1, kDay},
    {"message.depth", Integer, "100", "How deep the parts of a message nest, for IMAP; what lies deeper is one opaque part.", 1, 1000},
    {"message.details", Size, "16MB", "Memory for the envelopes and Content fields of one message; past it only the types of its parts are read.", 64 * 1024, 1024 * kMB},
    {"message.header_block", Size, "1MB", "Bytes of a header that are read; the part that it belongs to is opaque if it goes on.", 1024, 64 * kMB},
    {"message.header_line", Size, "64kB", "Bytes of one header field that are read, unfolded.", 1000, 16 * kMB},
    {"message.parts", Integer, "10000", "Parts of a message that are told apart; the rest is one opaque part.", 1, 1'000'000},
    {"mta_sts.cached", Integer, "10000", "MTA-STS policies of other domains that are kept, one small file each; past it those that end first are dropped.", 1, 1'000'000},
    {"mta_sts.honour", Boolean, "true", "Fetch the MTA-STS policies of domains that we send to, and follow them (RFC 8461)."},
    {"mta_sts.max_age", Duration, "7d", "How long senders may keep our own policy.", kDay, 31'557'600},
    {"mta_sts.mode", String, "off", "What the MTA-STS policy of our own domains says; off: there is none. gk-tls-policy sts-policy prints the policy, for the web server to serve.", 0, 0, {"enforce", "none", "off", "testing"}},
    {"mta_sts.timeout", Duration, "20s", "Time to fetch another domain's policy; the first message to that domain waits for it.", 1, 5 * kMinute},
    {"queue.command_timeout", Duration, "5m", "Time for a peer's reply to a command (RFC 5321, 4.5.3.2).", 1, kHour},
    {"queue.connect_timeout", Duration, "30s", "Time for a connection to a peer's address to open.", 1, 10 * kMinute},
    {"queue.credentials", Table, "", "Logins at smarthosts: host = \"FILE\", whose first line is the user and second the password. Such a host must show a certificate of its name, unless queue.tls_policy says otherwise of it."},
    {"queue.data_timeout", Duration, "10m", "Time for a peer's reply after the end of a message (RFC 5321, 4.5.3.2.6).", 1, kHour},
    {"queue.delay_warning", Duration, "4h", "Age at which a sender is told, once, that a message is delayed; 0 never.", 0, 30 * kDay},
    {"queue.destination_connections", Integer, "20", "Connections to one destination at the same time, once it has shown that it takes them: it begins with two.", 1, 1000},
    {"queue.destination_rate", Integer, "0", "Messages a minute to one destination; 0 is no limit. queue.limits says otherwise of some.", 0, 1'000'000},
    {"queue.dsn_size", Size, "256k", "Messages up to this size are returned whole in DSNs that may; larger ones as headers only.", 0, 100 * kMB},
    {"queue.expire", Duration, "5d", "Age at which a message is given up and returned (RFC 5321, 4.5.4.1).", kMinute, 90 * kDay},
    {"queue.expire_dsn", Duration, "2d", "Age at which a DSN that cannot be delivered is dropped.", kMinute, 90 * kDay},
    {"queue.ipv6", Boolean, "true", "Connect to IPv6 addresses too, and first."},
    {"queue.limits", Table, "", "What single destinations are given, in place of queue.destination_connections and queue.destination_rate: domain (or smarthost) = \"connections=2 rate=60\"; \".domain\" is what lies below it."},
    {"queue.port", Integer, "25", "The port of peers found by MX.", 1, 65535},
    {"queue.recipients", Integer, "100", "Recipients in one transaction, at most (RFC 5321, 4.5.3.1.8).", 1, 10'000},
    {"queue.remember_sent", Duration, "14d", "How long the queue remembers what accounts sent, so that reports that come back are tied to it (at most a million recipients); 0 not at all.", 0, 400 * kDay},
    {"queue.retry", Table, "", "Waits of their own, in place of queue.retry_first and queue.retry_most: for greylisted (a 450 or 451 that time mends), full (the mailbox), unreachable, throttled (the destination wants less from us), local (our own delivery), or the recipients of a domain (\".domain\": below it) = \"FIRST MOST\", such as full = \"30m 4h\"."},
    {"queue.retry_first", Duration, "1m", "Wait before the second attempt; it doubles with each further one up to queue.retry_most.", 1, kDay},
    {"queue.retry_most", Duration, "1h", "The longest wait between attempts.", 1, 7 * kDay},
    {"queue.routes", Table, "", "Where mail for a domain goes instead of its MX: domain = \"host:port\", \"[ip]:port\" or \"lmtp:unix:/path\"; \".domain\" is what lies below it, \"*\" all else (a smarthost)."},
    {"queue.session_messages", Integer, "100", "Messages sent over one connection, at most.", 1, 100'000},
    {"queue.threads", Integer, "100", "Deliveries at the same time, one thread each; three quarters of them, at most, for destinations that have not shown that they answer.", 1, 1000},
    {"queue.tls", String, "opportunistic", "The least TLS towards peers. never: plain text. unchecked: where offered, whatever the domain publishes. opportunistic: where offered, and by DANE or MTA-STS where the domain publishes them. encrypt: always. verify: always, by a certificate that names the MX host. secure: always, by DANE or an MTA-STS policy in force. dane: always by DANE.", 0, 0, {"dane", "encrypt", "never", "opportunistic", "secure", "unchecked", "verify"}},
    {"queue.tls_policy", Table, "", "The same for domains (or smarthosts) of their own: domain = \"secure\"; \".domain\" is what lies below it."},
    {"reports.contact", String, "", "The address that reports name for questions; empty: reports.sender."},
    {"reports.dmarc", Boolean, "true", "Send DMARC aggregate reports (RFC 9990) to the domains that ask for them, once reports.sender is set."},
    {"reports.https_private", Boolean, "false", "Post TLS reports to private and loopback addresses too, and to any port; for networks without the Internet."},
    {"reports.keep", Duration, "400d", "How long reports that came in, and what was sent, stay in reports.db.", kDay, 3650 * kDay},
    {"reports.keep_observations", Duration, "7d", "How long a day's observations are kept: a report that cannot be sent until then is given up, and the file is removed.", kDay, 90 * kDay},
    {"reports.max_message", Size, "10MB", "The largest message with a report that is sent; a domain may ask for less.", 64 * 1024, 1024 * kMB},
    {"reports.max_ratio", Integer, "500", "How many times its packed size a report that came in may have, past the first megabyte.", 10, 100'000},
    {"reports.max_records", Integer, "1000000", "Records of one report that came in.", 100, 100'000'000},
    {"reports.max_size", Size, "64MB", "Size of a report that came in, unpacked; JSON may have a quarter of it.", kMB, 4096 * kMB},
    {"reports.organization", String, "", "The organization that reports name as their author; empty: server.hostname."},
    {"reports.rows", Integer, "200000", "Rows that differ in all reports of one day together, held in memory while they are made, a twentieth of them for each organization; what comes later is only counted.", 1000, 10'000'000},
    {"reports.sender", String, "", "The address that reports are sent from; its domain signs them (DKIM). Empty: none are sent, and nothing is counted for them."},
    {"reports.tls", Boolean, "true", "Send SMTP TLS reports (RFC 8460) to the domains that ask for them, once reports.sender is set."},
    {"search.share", Integer, "50", "Percent of the size of an account's mail (but at least 32 MB) that its search index may grow to; past it new messages are found by their headers and names of attachments only.", 0, 1000},
    {"search.text_size", Size, "1MB", "Text of one message that can be found, of all its parts together; one part may have half of it.", 1024, 64 * kMB},
    {"server.drain_timeout", Duration, "30s", "Time that connections get to end after SIGTERM.", 0, kHour},
    {"server.hostname", String, "", "This host's name in greetings, Received fields and Message-IDs; empty: what the system says."},
    {"server.public_addresses", StringList, "", "The addresses by which the Internet knows this server, and from which it sends; gk-dns-check holds DNS against them. Empty: what DNS says of server.hostname."},
    {"server.trusted_networks", StringList, "127.0.0.0/8 ::1/128", "Networks whose clients are exempt from the connection limits for one address."},
    {"smtp.authentication", String, "enforce", "Check mail from outside by SPF, DKIM, ARC, DMARC and iprev: enforce does as the author's domain asks, observe only writes it down, off checks nothing.", 0, 0, {"enforce", "observe", "off"}},
    {"smtp.authentication_domains", Table, "", "Author domains (with all below them) that are treated otherwise: domain = \"enforce\", \"observe\" or \"off\"."},
    {"smtp.authentication_lookups", Integer, "150", "DNS questions of iprev, SPF, DKIM and ARC about one message, past which these end in temperror; DMARC has dmarc.max_queries of its own.", 10, 10'000},
    {"smtp.authentication_loopback", Boolean, "false", "Check clients on loopback addresses too."},
    {"smtp.authentication_temperror", String, "accept", "Mail of which DNS does not tell for now whether it passes DMARC, nor what its policy is: accept it, or defer it by 451; where the policy is known and would be applied to a message that fails, and where From names several domains, it is deferred in either case.", 0, 0, {"accept", "defer"}},
    {"smtp.authentication_time", Duration, "15s", "How long a client may have to wait for the checks of its message when all of it has come, with a third of it more for the DMARC policy; what DNS has not answered then is a temperror.", 1, 2 * kMinute},
    {"smtp.authserv_id", String, "", "The name under which Authentication-Results are written; empty: server.hostname."},
    {"smtp.authserv_own_ids", StringList, "", "More names of ours: Authentication-Results that claim one of them are taken out of mail that arrives."},
    {"smtp.check_from", Boolean, "true", "Refuse submitted messages whose From field names an address that the account may not use."},
    {"smtp.command_timeout", Duration, "5m", "Time for a client's next command (RFC 5321, 4.5.3.2.7 wants 5 minutes).", 1, kHour},
    {"smtp.data_deadline", Duration, "1h", "Time for a whole message to arrive; smtp.min_rate ends a slow one before.", 1, kDay},
    {"smtp.data_timeout", Duration, "5m", "Time for the next bytes of a message (RFC 5321, 4.5.3.2.5 wants 3 minutes at least); equal to smtp.command_timeout it saves system calls.", 1, kHour},
    {"smtp.max_auth_failures", Integer, "5", "Failed logins on one connection after which it is closed.", 1, 1000},
    {"smtp.max_connections", Integer, "1000", "Connections at the same time, one thread each; more are answered 421. Loopback and server.trusted_networks get a quarter more.", 1, 100'000},
    {"smtp.max_connections_per_address", Integer, "20", "Connections from one address (an IPv6 /64) at the same time; loopback and server.trusted_networks are exempt.", 1, 100'000},
    {"smtp.max_errors", Integer, "100", "Refused or idle commands between two messages after which a connection is closed.", 1, 100'000},
    {"smtp.max_messages", Integer, "10000", "Messages over one connection (MAILMAX, RFC 9422).", 1, 1'000'000'000},
    {"smtp.max_received", Integer, "50", "Received fields above which a message is taken for a loop and refused.", 1, 1000},
    {"smtp.max_recipients", Integer, "1000", "Recipients of one message (RCPTMAX, RFC 9422; RFC 5321 wants 100 at least).", 100, 1'000'000},
    {"smtp.max_size", Size, "50MB", "The largest message accepted.", 1024, 4096 * kMB},
    {"smtp.memory", Size, "16MB", "Memory for the messages being received, all connections together; past it they go to a file at once.", 0, 16384 * kMB},
    {"smtp.memory_per_message", Size, "256k", "How much of a message is kept in memory while it arrives; the rest goes to an unnamed file.", 0, 64 * kMB},
    {"smtp.min_rate", Size, "256", "Bytes a second that a message must reach on average once a minute is over; 0 for any speed.", 0, 64 * kMB},
    {"smtp.pressure_timeout", Duration, "10s", "What smtp.command_timeout shrinks to while four fifths of smtp.max_connections are in use; new clients then replace the idlest.", 1, kHour},
    {"smtp.proxy_listeners", StringList, "", "Listeners (smtp, submission, submissions) whose connections begin with a PROXY protocol header, version 2."},
    {"smtp.proxy_networks", StringList, "127.0.0.0/8 ::1/128", "Proxies that may send it; other clients of these listeners are disconnected."},
    {"smtp.relay_networks", StringList, "", "Networks whose clients may send to any domain through port 25 without a login. Empty: nobody."},
    {"smtp.spf_refusal", String, "no-mail", "When SPF alone refuses a message: never, at each fail (which breaks forwarding), or at a fail of a domain whose record is nothing but -all: it sends no mail, so nobody forwards any.", 0, 0, {"always", "never", "no-mail"}},
    {"smtp.submission_messages_day", Integer, "5000", "Messages that one account may submit in a day, so that a stolen password cannot flood; past it 450; 0 for any number.", 0, 1'000'000'000},
    {"smtp.submission_messages_hour", Integer, "1000", "The same in an hour.", 0, 1'000'000'000},
    {"smtp.submission_overrides", Table, "", "Other limits for accounts: \"news@a.test\" = \"messages_hour=20000 recipients_day=100000\"; \"@a.test\" is a whole domain; none ends all limits, what is not named stays."},
    {"smtp.submission_recipients_day", Integer, "20000", "Recipients that one account may send to in a day, each message's counted anew; past it 450; 0 for any number.", 0, 1'000'000'000},
    {"smtp.submission_recipients_hour", Integer, "5000", "The same in an hour.", 0, 1'000'000'000},
    {"tls.ca_file", String, "", "The certificate authorities that peers and MTA-STS policies are checked by, in PEM; empty: those of the system."},
    {"tls.certificate", String, "", "Certificate chain in PEM; empty: keys/tls/default.crt below the state directory."},
    {"tls.key", String, "", "Private key in PEM; empty: keys/tls/default.key below the state directory."},
};
// clang-format on

}  // namespace

const std::vector<Setting>& settings() { return kSettings; }

const Setting* find_setting(std::string_view key) noexcept {
    const auto at = std::lower_bound(kSettings.begin(), kSettings.end(), key,
                                     [](const Setting& setting, std::string_view k) { return setting.key < k; });
    return at != kSettings.end() && at->key == key ? &*at : nullptr;
}

std::string_view type_name(Type type) noexcept {
    switch (type) {
        case Type::Boolean: return "boolean";
        case Type::Integer: return "integer";
        case Type::Size: return "size";
        case Type::Duration: return "duration";
        case Type::String: return "string";
        case Type::StringList: return "list";
        case Type::Table: return "table";
    }
    return "";
}

}  // namespace gk::config
