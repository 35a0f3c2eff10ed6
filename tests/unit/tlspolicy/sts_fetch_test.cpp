// SPDX-License-Identifier: MIT
#include "common/tlspolicy/sts_fetch.hpp"

#include <gmock/gmock.h>
#include <sys/socket.h>
#include <atomic>
#include <thread>

#include "common/base/ids.hpp"
#include "common/os/file.hpp"
#include "common/tls/tls.hpp"
#include "common/tlspolicy/sts_policy.hpp"
#include "tests/unit/tls/test_ca.hpp"

using namespace gk;
using namespace gk::tlspolicy;
using namespace std::chrono_literals;
using gk::testing::make_certificate;
using ::testing::HasSubstr;

namespace {

// A web server with one answer, for names of its certificate.
class Web {
public:
    Web(std::string answer, const std::string& name = "mta-sts.b.test", long until_s = 86400)
        : answer_(std::move(answer)), dir_(::testing::TempDir() + new_id()) {
        const auto root = make_certificate("Test root", {}, nullptr);
        const auto leaf = make_certificate(name, {name}, &root, -86400, until_s);
        EXPECT_TRUE(os::make_directories(dir_));
        EXPECT_TRUE(os::replace_file(dir_ + "/root.pem", root.certificate_pem()));
        EXPECT_TRUE(os::replace_file(dir_ + "/web.pem", leaf.certificate_pem()));
        EXPECT_TRUE(os::replace_file(dir_ + "/web.key", leaf.key_pem()));
        context_ = tls::ServerContext::create({{{dir_ + "/web.pem", dir_ + "/web.key"}}}).value();
        listen_ = std::move(*net::listen_tcp("127.0.0.1", 0));
        options.port = net::local_of(listen_.get()).port;
        options.ca_file = dir_ + "/root.pem";
        options.timeout = 3s;
        thread_ = std::thread([this] { serve(); });
    }
    ~Web() {
        stopping_ = true;
        (void)net::connect_tcp("127.0.0.1", options.port, 1s);
        thread_.join();
        (void)os::remove_tree(dir_);
    }
    Fetched fetch() { return fetch_sts_policy("b.test", {"127.0.0.1"}, options); }
    FetchOptions options;
    std::string asked;

private:
    void serve() {
        while (!stopping_) {
            os::Fd fd(::accept(listen_.get(), nullptr, nullptr));
            if (!fd || stopping_) continue;
            auto stream = tls::accept(std::make_unique<net::SocketStream>(std::move(fd)), *context_, 3s);
            if (!stream) continue;
            char buffer[4096];
            const auto count = (*stream)->read_some(buffer, 3s);
            if (count) asked.assign(buffer, *count);
            (void)(*stream)->write_all(answer_, 3s);
            (*stream)->close();
        }
    }
    std::string answer_, dir_;
    std::shared_ptr<tls::ServerContext> context_;
    os::Fd listen_;
    std::atomic<bool> stopping_{false};
    std::thread thread_;
};

std::string http(std::string_view status, std::string_view headers, std::string_view body) {
    return fmt::format("HTTP/1.1 {}\r\nConnection: close\r\n{}\r\n{}", status, headers, body);
}

constexpr const char* kPlain = "Content-Type: text/plain; charset=utf-8\r\n";

}  // namespace

TEST(StsFetch, ReadsThePolicyAtItsPlace) {
    Web web(http("200 OK", kPlain, "version: STSv1\n"));
    const auto fetched = web.fetch();
    EXPECT_EQ(fetched.result, ResultType::Success) << fetched.text;
    EXPECT_EQ(fetched.text, "version: STSv1\n");
    EXPECT_THAT(web.asked, ::testing::StartsWith("GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: mta-sts.b.test"));
}

TEST(StsFetch, TakesNoCertificateForAnotherNameOrPastItsTime) {
    Web other(http("200 OK", kPlain, "version: STSv1\n"), "mta-sts.c.test");
    EXPECT_EQ(other.fetch().result, ResultType::StsWebpkiInvalid);
    Web expired(http("200 OK", kPlain, "version: STSv1\n"), "mta-sts.b.test", -3600);
    EXPECT_EQ(expired.fetch().result, ResultType::StsWebpkiInvalid);
    Web unknown(http("200 OK", kPlain, "version: STSv1\n"));
    unknown.options.ca_file.clear();
    EXPECT_EQ(unknown.fetch().result, ResultType::StsWebpkiInvalid);
}

TEST(StsFetch, FollowsNoRedirectAndTakesNoOtherStatus) {
    Web moved(http("301 Moved", "Location: https://mta-sts.b.test/x\r\n", ""));
    EXPECT_THAT(moved.fetch().text, HasSubstr("301"));
    Web missing(http("404 Not Found", kPlain, "version: STSv1\n"));
    const auto fetched = missing.fetch();
    EXPECT_EQ(fetched.result, ResultType::StsPolicyFetchError);
    EXPECT_THAT(fetched.text, HasSubstr("404"));
}

TEST(StsFetch, TakesPlainTextOnlyWhereTheServerNamesAType) {
    Web html(http("200 OK", "Content-Type: text/html\r\n", "version: STSv1\n"));
    EXPECT_THAT(html.fetch().text, HasSubstr("text/html"));
    Web untyped(http("200 OK", "", "version: STSv1\n"));
    EXPECT_EQ(untyped.fetch().result, ResultType::Success);
}

TEST(StsFetch, EndsWhatIsTooLongOrTakesTooLong) {
    Web large(http("200 OK", kPlain, std::string(kMostPolicyBytes + 1, 'x')));
    EXPECT_THAT(large.fetch().text, HasSubstr("65536"));
    Web whole(http("200 OK", kPlain, std::string(kMostPolicyBytes, 'x')));
    EXPECT_EQ(whole.fetch().result, ResultType::Success);
    auto silent = std::move(*net::listen_tcp("127.0.0.1", 0));
    FetchOptions options;
    options.port = net::local_of(silent.get()).port;
    options.timeout = 300ms;
    EXPECT_EQ(fetch_sts_policy("b.test", {"127.0.0.1"}, options).result, ResultType::StsPolicyFetchError);
}
