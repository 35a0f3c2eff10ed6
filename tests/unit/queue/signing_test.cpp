// SPDX-License-Identifier: MIT
#include "common/queue/signing.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>
#include <atomic>
#include <thread>

#include "common/base/text.hpp"
#include "common/mailauth/arc/validate.hpp"
#include "common/mailauth/dkim/key_record.hpp"
#include "common/mailauth/dkim/verify.hpp"
#include "common/mailauth/dns_table.hpp"
#include "common/os/file.hpp"
#include "common/queue/engine.hpp"
#include "common/queue/forms.hpp"
#include "common/queue/spool.hpp"
#include "tests/unit/smtp_client/scripted_peer.hpp"

namespace gk::queue {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

const mailauth::PrivateKey& key() {
    static const auto made = mailauth::PrivateKey::generate(mailauth::Algorithm::Ed25519Sha256).value();
    return made;
}

// gk-dkim with one key, s1 of a.test.
class FakeDkim {
public:
    explicit FakeDkim(const std::string& path) : listener_(net::listen_unix(path).value()) {
        thread_ = std::thread([this] { run(); });
    }
    ~FakeDkim() {
        ::shutdown(listener_.get(), SHUT_RDWR);
        thread_.join();
        for (auto& each : connections_) each.join();
    }
    std::atomic<int> signatures{0};

private:
    void run() {
        for (;;) {
            os::Fd fd(::accept(listener_.get(), nullptr, nullptr));
            if (!fd) return;
            connections_.emplace_back([this, held = std::make_shared<os::Fd>(std::move(fd))] {
                net::SocketStream stream(std::move(*held));
                net::LineReader reader(stream, dkim_client::kMaxLine);
                while (const auto line = reader.read_line(20s)) {
                    dkim_client::Reply reply;
                    reply.ok = true;
                    const auto request = dkim_client::parse_request(*line).value();
                    if (const auto* keys = std::get_if<dkim_client::Keys>(&request)) {
                        if (keys->domain == "a.test") reply.keys = {{"s1", key().algorithm()}};
                    } else if (const auto* sign = std::get_if<dkim_client::Sign>(&request)) {
                        ++signatures;
                        reply.signature = key().sign(sign->digest).value();
                    }
                    if (!stream.write_all(dkim_client::format_reply(reply), 2s)) return;
                }
            });
        }
    }
    os::Fd listener_;
    std::thread thread_;
    std::vector<std::thread> connections_;
};

std::string verdict(const std::string& message) {
    mailauth::DnsTable dns;
    dns.add("s1._domainkey.a.test", "TXT", mailauth::dkim::format_key_record(key()));
    mailauth::dkim::Verifier verifier(to_unix_s(now()));
    verifier.feed(message);
    std::string out;
    for (const auto& each : verifier.finish(dns)) {
        out += mailauth::dkim::verdict_name(each.verdict);
        out += ' ' + each.domain + ';';
    }
    return out;
}

constexpr std::string_view kMessage =
    "From: Ann <ann@a.test>\r\nTo: bob@b.test\r\nSubject: hi\r\nMessage-ID: <1@a.test>\r\n\r\nhello \r\n.\r\n\r\n";

struct Bed {
    Bed() {
        char name[] = "/tmp/gk-unit-signing-XXXXXX";
        dir = ::mkdtemp(name);
        settings.spool_dir = dir + "/spool";
        settings.hostname = "mx.a.test";
        settings.schedule.first = settings.schedule.most = seconds(1);
        settings.timeouts.command = settings.timeouts.data_end = 2000ms;
        settings.connect_timeout = 500ms;
        settings.drain_timeout = 3000ms;
        settings.dns.servers = {"127.0.0.1@1"};
        settings.dns.timeout = 300ms;
        settings.recipients = 1;
        settings.signing.sign = true;
        settings.signing.socket = dir + "/dkim.sock";
        settings.routes = {{"b.test", fmt::format("127.0.0.1:{}", peer.port())},
                           {"c.test", fmt::format("127.0.0.1:{}", peer.port())}};
        (void)create_spool(settings.spool_dir);
    }
    ~Bed() {
        engine.reset();
        dkim.reset();
        (void)os::remove_tree(dir);
    }
    void start_dkim() { dkim = std::make_unique<FakeDkim>(settings.signing.socket); }
    void start() {
        auto started = Engine::start(settings, [](std::string_view) -> Result<bool> { return false; });
        ASSERT_TRUE(started) << started.error().text;
        engine = std::move(*started);
    }
    void put(std::string_view message, Envelope e = {}, std::vector<std::string> recipients = {"bob@b.test"}) {
        e.reverse_path = "ann@a.test";
        for (auto& r : recipients) e.recipients.push_back({std::move(r), "", kNotifyNever, {}});
        auto writer = SpoolWriter::create(settings.spool_dir, e);
        ASSERT_TRUE(writer && writer->write(message) && writer->commit());
    }
    std::size_t files() {
        return os::list_directory(settings.spool_dir + "/active")->size() +
               os::list_directory(settings.spool_dir + "/new")->size();
    }
    template <class Condition>
    bool until(Condition condition) {
        for (int i = 0; i < 1000; ++i) {
            if (condition()) return true;
            std::this_thread::sleep_for(10ms);
        }
        return false;
    }
    std::string sent() {
        EXPECT_TRUE(until([&] { return files() == 0; }));
        const auto received = peer.received();
        return received.size() == 1 ? received[0].data : std::string();
    }
    std::string dir;
    gk::testing::Behaviour behaviour;
    gk::testing::ScriptedPeer peer{[this](int) { return behaviour; }};
    Settings settings;
    std::unique_ptr<FakeDkim> dkim;
    std::unique_ptr<Engine> engine;
};

Envelope of_account() {
    Envelope e;
    e.account = "ann@a.test";
    return e;
}

TEST(QueueSigning, SignsWhatAnAccountSends) {
    Bed bed;
    bed.start_dkim();
    bed.start();
    bed.put(kMessage, of_account());
    const std::string data = bed.sent();
    EXPECT_TRUE(data.ends_with(kMessage)) << data;
    EXPECT_EQ(verdict(data), "pass a.test;");
}

TEST(QueueSigning, SignsTheFormThatThePeerGets) {
    Bed bed;
    bed.behaviour.ehlo = {"peer.test"};  // no 8BITMIME
    bed.start_dkim();
    bed.start();
    bed.put(
        "From: Ann <ann@a.test>\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nGr\xC3\xBC\xC3\x9F und alles "
        "erdenklich "
        "Gute\r\n",
        of_account());
    const std::string data = bed.sent();
    EXPECT_THAT(data, HasSubstr("Gr=C3=BC=C3=9F und alles erdenklich Gute\r\n"));
    EXPECT_EQ(verdict(data), "pass a.test;");
}

TEST(QueueSigning, SignsOurOwnNotificationsByTheDomainAboveTheHost) {
    Bed bed;
    bed.start_dkim();
    bed.start();
    Envelope own;
    own.is_own = true;
    bed.put("From: reports@mx.a.test\r\n\r\nall well\r\n", own);
    EXPECT_EQ(verdict(bed.sent()), "pass a.test;");
}

TEST(QueueSigning, NeverSignsWhatIsForwardedForOthers) {
    Bed bed;
    bed.start_dkim();
    bed.start();
    bed.put(kMessage);
    EXPECT_EQ(bed.sent(), kMessage);
    EXPECT_EQ(bed.dkim->signatures, 0);
}

// What gk-smtpd and gk-deliver put in front of mail for an alias.
const std::string kForwarded =
    "Delivered-To: list@a.test\r\nAuthentication-Results: mx.a.test;\r\n\tdmarc=pass header.from=far.test\r\n"
    "Received: from mx.far.test\r\nFrom: x@far.test\r\n\r\nhello\r\n";

std::string chain_of(const std::string& message) {
    mailauth::DnsTable dns;
    dns.add("s1._domainkey.a.test", "TXT", mailauth::dkim::format_key_record(key()));
    mailauth::arc::Validator validator(to_unix_s(now()));
    validator.feed(message);
    const auto chain = validator.finish(dns);
    return fmt::format("{} {}", mailauth::arc::status_name(chain.status), chain.links.size());
}

TEST(QueueSealing, SealsWhatAnAliasPassesOn) {
    Bed bed;
    bed.settings.sealing.ids = {"mx.a.test"};
    bed.start_dkim();
    bed.start();
    bed.put(kForwarded);
    const std::string data = bed.sent();
    EXPECT_TRUE(data.ends_with(kForwarded)) << data;
    EXPECT_EQ(chain_of(data), "pass 1");
    EXPECT_THAT(data, HasSubstr("ARC-Authentication-Results: i=1; mx.a.test;"));
    EXPECT_EQ(verdict(data), "");
}

TEST(QueueSealing, LeavesAsItCameWhatNobodyCheckedOrWhatItIsToldTo) {
    for (const bool seal : {false, true}) {
        Bed bed;
        bed.settings.sealing.seal = seal;
        bed.settings.sealing.ids = {seal ? "mx.other.test" : "mx.a.test"};
        bed.start_dkim();
        bed.start();
        bed.put(kForwarded);
        EXPECT_EQ(bed.sent(), kForwarded) << seal;
    }
}

TEST(QueueSealing, MailDoesNotWaitForASeal) {
    Bed bed;
    bed.settings.sealing.ids = {"mx.a.test"};
    bed.start();
    bed.put(kForwarded);
    EXPECT_EQ(bed.sent(), kForwarded);
}

TEST(QueueSigning, OneSignatureServesAllRecipients) {
    Bed bed;
    bed.start_dkim();
    bed.start();
    bed.put(kMessage, of_account(), {"bob@b.test", "bea@b.test", "cid@c.test", "cat@c.test"});
    ASSERT_TRUE(bed.until([&] { return bed.files() == 0; }));
    ASSERT_EQ(bed.peer.received().size(), 4u);
    for (const auto& each : bed.peer.received()) EXPECT_EQ(verdict(each.data), "pass a.test;");
    EXPECT_EQ(bed.dkim->signatures, 1);
}

TEST(QueueSigning, SignsALargeMessageWithoutHoldingIt) {
    Bed bed;
    bed.start_dkim();
    bed.start();
    std::string large(kMessage);
    for (int i = 0; i < 20'000; ++i) large += fmt::format("line {} of many, with  two spaces\t\r\n", i);
    bed.put(large, of_account());
    const std::string data = bed.sent();
    EXPECT_EQ(data.size() > large.size(), true);
    EXPECT_EQ(verdict(data), "pass a.test;");
}

TEST(QueueSigning, WaitsForTheKeysAndLosesNothing) {
    Bed bed;
    bed.start();
    bed.put(kMessage, of_account());
    ASSERT_TRUE(bed.until([&] {
        std::string said;
        (void)bed.engine->list({}, [&](const Summary& each) { said = each.reason; });
        return said.find("cannot be signed now") != std::string::npos;
    }));
    EXPECT_TRUE(bed.peer.received().empty());
    bed.start_dkim();
    EXPECT_EQ(verdict(bed.sent()), "pass a.test;");
}

TEST(QueueSigning, SendsUnsignedWhereSignaturesAreNotRequired) {
    Bed bed;
    bed.settings.signing.required = false;
    bed.start();
    bed.put(kMessage, of_account());
    EXPECT_EQ(bed.sent(), kMessage);
}

TEST(QueueSigning, ADomainWithoutKeysIsSentAsItIs) {
    Bed bed;
    bed.start_dkim();
    bed.start();
    const std::string message = text::replace_all(kMessage, "ann@a.test", "ann@d.test");
    bed.put(message, of_account());
    EXPECT_EQ(bed.sent(), message);
}

TEST(QueueSigning, SignsNothingThatReadersMayTakeForAnothersWord) {
    for (const std::string_view extra : {"From: ceo@a.test\r\n", "from : ceo@a.test\r\n"}) {
        Bed bed;
        bed.start_dkim();
        bed.start();
        const std::string message = std::string(extra) + std::string(kMessage);
        bed.put(message, of_account());
        EXPECT_EQ(bed.sent(), message);
    }
}

TEST(QueueSigning, KnowsTheAuthorsDomainOrSaysWhyNot) {
    EXPECT_EQ(author_domain("From: Ann <ann@A.test>\r\n").value(), "a.test");
    EXPECT_EQ(author_domain("From: ann@a.test, bob@a.test\r\n").value(), "a.test");
    EXPECT_EQ(author_domain("From: ann@b\xc3\xbc"
                            "cher.test\r\n")
                  .value(),
              "xn--bcher-kva.test");
    for (const char* header :
         {"", "Subject: x\r\n", "From: \r\n", "From: ann\r\n", "From: ann@a.test, bob@b.test\r\n",
          "From: ann@a.test\r\nFrom: ann@a.test\r\n", "From: ann@[192.0.2.1]\r\n", "From: nobody:;\r\n"})
        EXPECT_EQ(author_domain(header).error().code, Errc::BadInput) << header;
}

TEST(QueueSigning, LeavesBareLineEndsUnsigned) {
    Bed bed;
    bed.start_dkim();
    dkim_client::ClientPool pool(bed.settings.signing.socket);
    for (const std::string_view body : {"a\nb\r\n", "a\rb\r\n", "a\r\n\r", "\n"}) {
        Envelope e = of_account();
        e.recipients.push_back({"bob@b.test", "", kNotifyUnset, {}});
        auto writer = SpoolWriter::create(bed.settings.spool_dir, e);
        ASSERT_TRUE(writer && writer->write(std::string(kMessage) + std::string(body)));
        const auto id = writer->commit().value();
        const auto file = SpoolFile::open(bed.settings.spool_dir + "/new/" + id).value();
        const auto made = sign_message(source_of(file), bed.settings.signing, pool, now());
        ASSERT_TRUE(made);
        EXPECT_EQ(made->fields, "");
        EXPECT_THAT(made->why_not, HasSubstr("bare CR or LF"));
    }
}

}  // namespace
}  // namespace gk::queue
