// SPDX-License-Identifier: MIT
#include "common/dns/resolver.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <atomic>

#include "common/base/text.hpp"

namespace gk::dns {
namespace {

using namespace std::string_literals;

std::string wire_name(std::string_view name) {
    std::string out;
    if (!name.empty())
        for (const auto label : text::split(name, '.')) {
            out += static_cast<char>(label.size());
            out += label;
        }
    return out + '\0';
}
std::string wire_mx(int preference, std::string_view host) {
    return "\0"s + static_cast<char>(preference) + wire_name(host);
}

// Answers from a table, by UDP, on a port of its own.
class TestServer {
public:
    struct Answer {
        int rcode = 0;
        std::vector<std::string> rdata;
        bool silent = false;
    };
    std::map<std::pair<std::string, int>, Answer> answers;  // a name without an entry does not exist
    std::atomic<int> asked{0};

    TestServer() {
        fd_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        (void)::bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address);
        socklen_t length = sizeof address;
        (void)::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &length);
        port_ = ntohs(address.sin_port);
    }
    void start() {
        thread_ = std::thread([this] { run(); });
    }
    ~TestServer() {
        stopping_ = true;
        if (thread_.joinable()) thread_.join();
        ::close(fd_);
    }
    int port() const { return port_; }

private:
    void run() {
        while (!stopping_) {
            pollfd wait{fd_, POLLIN, 0};
            if (::poll(&wait, 1, 20) <= 0) continue;
            char buffer[2048];
            sockaddr_in from{};
            socklen_t length = sizeof from;
            const ssize_t n = ::recvfrom(fd_, buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&from), &length);
            if (n < 17) continue;
            const std::string reply = answer(std::string(buffer, static_cast<std::size_t>(n)));
            if (!reply.empty())
                (void)::sendto(fd_, reply.data(), reply.size(), 0, reinterpret_cast<sockaddr*>(&from), length);
        }
    }
    std::string answer(const std::string& query) {
        ++asked;
        std::size_t at = 12;
        const auto name = parse_name(query, at);
        const int type = static_cast<unsigned char>(query[at + 1]);
        const std::string question = query.substr(12, at + 4 - 12);
        const auto found = answers.find({*name, type});
        bool exists = found != answers.end();
        for (const auto& [key, value] : answers) exists |= key.first == *name;
        Answer a;
        if (found != answers.end()) a = found->second;
        else a.rcode = exists ? 0 : 3;
        if (a.silent) return {};
        std::string out = query.substr(0, 2);
        out += static_cast<char>(0x85);
        out += static_cast<char>(0x80 | a.rcode);
        out += "\0\1\0"s + static_cast<char>(a.rdata.size()) + "\0\0\0\0"s + question;
        for (const auto& rdata : a.rdata)
            out += "\xc0\x0c\0"s + static_cast<char>(type) + "\0\1\0\0\0\x3c"s + static_cast<char>(rdata.size() >> 8) +
                   static_cast<char>(rdata.size()) + rdata;
        return out;
    }

    int fd_ = -1, port_ = 0;
    std::atomic<bool> stopping_{false};
    std::thread thread_;
};

std::unique_ptr<Resolver> resolver_for(const TestServer& server, int timeout_ms = 3000, std::size_t keep = 0) {
    Options options;
    options.keep_answers = keep;
    options.servers = {"127.0.0.1:" + std::to_string(server.port())};
    options.timeout = std::chrono::milliseconds(timeout_ms);
    auto resolver = Resolver::create(options);
    EXPECT_TRUE(resolver) << resolver.error().text;
    return std::move(*resolver);
}

TEST(Resolver, FindsMailHostsByPreference) {
    TestServer server;
    server.answers[{"b.test", 15}] = {
        0, {wire_mx(20, "second.test"), wire_mx(10, "First.test"), wire_mx(20, "third.test")}};
    server.start();
    auto resolver = resolver_for(server);
    const auto found = find_mail_hosts(*resolver, "B.test");
    ASSERT_TRUE(found) << found.error().text;
    ASSERT_EQ(found->hosts.size(), 3u);
    EXPECT_EQ(found->hosts[0].host, "first.test");
    EXPECT_FALSE(found->implicit || found->null_mx || found->no_domain);
    EXPECT_EQ(found->security, Security::Insecure);
}

TEST(Resolver, KnowsNullMxImplicitMxAndNoDomain) {
    TestServer server;
    server.answers[{"null.test", 15}] = {0, {wire_mx(0, "")}};
    server.answers[{"plain.test", 1}] = {0, {"\xc0\0\2\1"s}};
    server.start();
    auto resolver = resolver_for(server);
    EXPECT_TRUE(find_mail_hosts(*resolver, "null.test")->null_mx);
    const auto implicit = find_mail_hosts(*resolver, "plain.test");
    EXPECT_TRUE(implicit->implicit);
    EXPECT_EQ(implicit->hosts.at(0).host, "plain.test");
    EXPECT_TRUE(find_mail_hosts(*resolver, "nowhere.test")->no_domain);
}

TEST(Resolver, PutsIpv6First) {
    TestServer server;
    server.answers[{"mx.test", 1}] = {0, {"\xc0\0\2\1"s}};
    server.answers[{"mx.test", 28}] = {0, {"\x20\1\x0d\xb8"s + std::string(11, '\0') + "\1"}};
    server.start();
    auto resolver = resolver_for(server);
    EXPECT_EQ(find_addresses(*resolver, "mx.test")->ips, (std::vector<std::string>{"2001:db8::1", "192.0.2.1"}));
    EXPECT_EQ(find_addresses(*resolver, "mx.test", false)->ips, (std::vector<std::string>{"192.0.2.1"}));
    EXPECT_TRUE(find_addresses(*resolver, "none.test")->no_domain);
}

TEST(Resolver, ServfailIsTemporary) {
    TestServer server;
    server.answers[{"bad.test", 15}] = {2, {}};
    server.start();
    auto resolver = resolver_for(server);
    const auto found = find_mail_hosts(*resolver, "bad.test");
    ASSERT_FALSE(found);
    EXPECT_NE(found.error().code, Errc::Permanent);
}

TEST(Resolver, KeepsItsOwnTimeout) {
    TestServer server;
    server.answers[{"slow.test", 15}] = {0, {}, true};
    server.start();
    auto resolver = resolver_for(server, 300);
    const auto begun = std::chrono::steady_clock::now();
    const auto found = resolver->mx("slow.test");
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().code, Errc::Timeout);
    EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(2));
}

TEST(Resolver, GivesUpAtTheDeadlineOfItsCaller) {
    TestServer server;
    server.answers[{"slow.test", 16}] = {0, {}, true};
    server.start();
    auto resolver = resolver_for(server);
    const auto begun = std::chrono::steady_clock::now();
    const auto found = resolver->txt("slow.test", begun + std::chrono::milliseconds(200));
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().code, Errc::Timeout);
    EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(2));
}

TEST(Resolver, KeepsAnswersWhereAskedTo) {
    TestServer server;
    server.answers[{"a.test", 16}] = {0, {"\1x"s}};
    server.answers[{"b.test", 16}] = {0, {"\1y"s}};
    server.start();
    // What it has kept it knows at once; anything else takes longer than no time.
    constexpr auto kAtOnce = Resolver::Deadline::min();
    auto plain = resolver_for(server);
    ASSERT_TRUE(plain->txt("a.test"));
    EXPECT_FALSE(plain->txt("a.test", kAtOnce));
    auto keeping = resolver_for(server, 3000, 1);
    ASSERT_TRUE(keeping->txt("a.test"));
    ASSERT_TRUE(keeping->txt("A.test.", kAtOnce));
    EXPECT_EQ(keeping->txt("a.test", kAtOnce)->records.at(0), "x");
    EXPECT_FALSE(keeping->a("a.test", kAtOnce));
    ASSERT_TRUE(keeping->txt("b.test"));
    EXPECT_FALSE(keeping->txt("a.test", kAtOnce));  // one answer is all there is room for
}

TEST(Resolver, ReadsTxtPtrAndTlsa) {
    TestServer server;
    server.answers[{"t.test", 16}] = {0,
                                      {"\5v=spf\4"
                                       "1 -a"s}};
    server.answers[{"1.2.0.192.in-addr.arpa", 12}] = {0, {wire_name("host.test")}};
    server.answers[{"_25._tcp.mx.test", 52}] = {0, {"\3\1\1" + std::string(32, 'x')}};
    server.start();
    auto resolver = resolver_for(server);
    EXPECT_EQ(resolver->txt("t.test")->records.at(0), "v=spf1 -a");
    const auto ptr = resolver->ptr("192.0.2.1");
    ASSERT_TRUE(ptr) << ptr.error().text;
    EXPECT_EQ(ptr->records.at(0), "host.test");
    EXPECT_EQ(resolver->tlsa("_25._tcp.mx.test")->records.at(0).data.size(), 32u);
}

TEST(Resolver, ShowsAnAliasItselfAndKnowsABogusAnswerFromNone) {
    TestServer server;
    server.answers[{"alias.test", 5}] = {0, {wire_name("Real.test")}};
    server.answers[{"mx.test", 1}] = {0, {"\xc0\0\2\1"s}};
    server.answers[{"bad.test", 15}] = {2, {}};
    server.start();
    auto resolver = resolver_for(server);
    EXPECT_EQ(resolver->cname("alias.test")->records.at(0), "real.test");
    EXPECT_EQ(resolver->a("mx.test")->canonical, "mx.test");
    EXPECT_TRUE(find_addresses(*resolver, "MX.test")->canonical.empty());
    EXPECT_FALSE(is_bogus(resolver->mx("bad.test").error()));
    EXPECT_TRUE(is_bogus({Errc::Temporary, "DNSSEC validation of bad.test failed: no signatures"}));
}

TEST(Resolver, ManyThreadsAsk) {
    TestServer server;
    for (int i = 0; i < 50; ++i)
        server.answers[{fmt::format("d{}.test", i), 15}] = {0, {wire_mx(10, fmt::format("mx{}.test", i))}};
    server.start();
    auto resolver = resolver_for(server);
    std::vector<std::thread> threads;
    std::atomic<int> right{0};
    for (int t = 0; t < 10; ++t)
        threads.emplace_back([&] {
            for (int i = 0; i < 50; ++i) {
                const auto mx = resolver->mx(fmt::format("d{}.test", i));
                right += mx && mx->records.size() == 1 && mx->records[0].host == fmt::format("mx{}.test", i);
            }
        });
    for (auto& t : threads) t.join();
    EXPECT_EQ(right, 500);
    EXPECT_LT(server.asked, 400);
}

TEST(Resolver, RefusesWhatIsNoName) {
    TestServer server;
    server.start();
    auto resolver = resolver_for(server);
    for (const std::string_view name : {"", ".", "a..b", "a b", "ü.test", "a\\b"})
        EXPECT_EQ(resolver->mx(name).error().code, Errc::BadInput) << name;
    EXPECT_EQ(server.asked, 0);
}

TEST(Resolver, AsksForEscapedOctets) {
    TestServer server;
    std::size_t at = 0;
    const auto name = parse_name(wire_name("ann+x=1.a.test"), at);
    ASSERT_TRUE(name);
    server.answers[{*name, 1}] = {0, {"\x7f\0\0\2"s}};
    server.start();
    auto resolver = resolver_for(server);
    const auto answer = resolver->a("ann\\043x\\0611.a.test");
    ASSERT_TRUE(answer) << answer.error().text;
    EXPECT_EQ(answer->records, std::vector<std::string>{"127.0.0.2"});
    for (const std::string_view wrong : {"a\\256.test", "a\\1.test", "a\\"})
        EXPECT_EQ(resolver->a(wrong).error().code, Errc::BadInput) << wrong;
}

TEST(Resolver, HostileRecordsAreLeftOut) {
    TestServer server;
    server.answers[{"x.test", 15}] = {0,
                                      {"\0\x0a\x3f"
                                       "short"s,
                                       wire_mx(10, "good.test")}};
    server.start();
    auto resolver = resolver_for(server);
    const auto mx = resolver->mx("x.test");
    EXPECT_TRUE(!mx || mx->records.size() <= 1);  // libunbound may refuse the whole answer
}

TEST(Records, AreBounded) {
    std::size_t offset = 0;
    EXPECT_FALSE(
        parse_name("\x05"
                   "ab",
                   offset));
    offset = 0;
    EXPECT_FALSE(parse_name("\xc0\x00"s, offset));
    offset = 0;
    EXPECT_EQ(*parse_name("\x03"
                          "a.\x01\x00"s,
                          offset),
              "a\\.\\001");
    EXPECT_FALSE(parse_mx("\0"s));
    EXPECT_FALSE(
        parse_txt("\x05"
                  "ab"));
    EXPECT_EQ(*reverse_name("2001:db8::1"), "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa");
    EXPECT_FALSE(reverse_name("1.2.3"));
}

}  // namespace
}  // namespace gk::dns
