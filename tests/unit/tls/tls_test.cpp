// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <atomic>
#include <thread>

#include "common/base/ids.hpp"
#include "common/os/file.hpp"
#include "common/tls/tls.hpp"

using namespace gk;
using namespace gk::tls;
using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::StartsWith;

namespace {

struct Certificates {
    Certificates() : dir(testing::TempDir() + new_id()) {
        EXPECT_TRUE(os::make_directories(dir));
        EXPECT_TRUE(make("a", "mx.a.test", {"a.test", "127.0.0.1"}));
        EXPECT_TRUE(make("b", "mx.b.test", {"*.b.test"}));
    }
    ~Certificates() { (void)os::remove_tree(dir); }
    Status make(const std::string& name, const std::string& host, const std::vector<std::string>& names) {
        return make_self_signed(host, names, dir + "/" + name + ".crt", dir + "/" + name + ".key");
    }
    Identity identity(const std::string& name) const { return {dir + "/" + name + ".crt", dir + "/" + name + ".key"}; }
    std::shared_ptr<ServerContext> server() const {
        return ServerContext::create({{identity("a"), identity("b")}}).value();
    }
    std::string dir;
};

struct Sockets {
    Sockets() {
        int fds[2];
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        client = std::make_unique<net::SocketStream>(os::Fd(fds[0]));
        server = std::make_unique<net::SocketStream>(os::Fd(fds[1]));
    }
    std::unique_ptr<net::SocketStream> client, server;
};

struct Ends {
    Result<std::unique_ptr<Stream>> client, server;
};

Ends shake_hands(const ServerContext& server, ClientContext& client, const std::string& name) {
    Sockets sockets;
    Ends ends;
    std::thread accepting([&] {
        ends.server = accept(std::move(sockets.server), server, 5s);
        if (ends.server) (void)(*ends.server)->write_all("hi", 5s);  // the session ticket comes before it
    });
    ends.client = connect(std::move(sockets.client), client, name, 5s);
    if (ends.client) {
        char buffer[8];
        EXPECT_EQ((*ends.client)->read_some(buffer, 5s).value(), 2u);
    }
    accepting.join();
    return ends;
}

}  // namespace

TEST(Tls, CarriesBytesBothWaysAndSaysWhatWasAgreed) {
    const Certificates certificates;
    const auto server = certificates.server();
    const auto client = ClientContext::create({}).value();
    auto ends = shake_hands(*server, *client, "mx.a.test");
    ASSERT_TRUE(ends.client) << ends.client.error().text;
    ASSERT_TRUE(ends.server) << ends.server.error().text;
    EXPECT_EQ((*ends.server)->info().version, "TLSv1.3");
    EXPECT_THAT((*ends.server)->info().cipher, StartsWith("TLS_"));
    EXPECT_EQ((*ends.server)->info().sni, "mx.a.test");
    const std::string large(300'000, 'x');
    std::thread writer([&] {
        EXPECT_TRUE((*ends.client)->write_all(large, 5s));
        (*ends.client)->close();
    });
    std::string heard;
    std::vector<char> buffer(10'000);
    for (;;) {
        const auto count = (*ends.server)->read_some(buffer, 5s);
        ASSERT_TRUE(count) << count.error().text;
        if (*count == 0) break;
        heard.append(buffer.data(), *count);
    }
    writer.join();
    EXPECT_EQ(heard, large);
}

TEST(Tls, GivesBothEndsTheSameChannelBindings) {
    const Certificates certificates;
    const auto client = ClientContext::create({}).value();
    auto ends = shake_hands(*certificates.server(), *client, "mx.b.test");
    ASSERT_TRUE(ends.client && ends.server);
    const auto ours = (*ends.server)->bindings(), theirs = (*ends.client)->bindings();
    EXPECT_EQ(ours.tls_exporter.size(), 32u);
    EXPECT_EQ(ours.tls_exporter, theirs.tls_exporter);
    EXPECT_EQ(ours.tls_server_end_point.size(), 32u);
    EXPECT_EQ(ours.tls_server_end_point, theirs.tls_server_end_point);
}

TEST(Tls, ChoosesTheCertificateBySniAndTheFirstForOthers) {
    const Certificates certificates;
    const auto server = certificates.server();
    const auto trusting = [&](const std::string& ca) {
        return ClientContext::create({ClientContext::Verify::Name, certificates.dir + "/" + ca + ".crt"}).value();
    };
    EXPECT_TRUE(shake_hands(*server, *trusting("a"), "mx.a.test").client);
    EXPECT_TRUE(shake_hands(*server, *trusting("b"), "mail.b.test").client);
    EXPECT_TRUE(shake_hands(*server, *trusting("a"), "127.0.0.1").client);
    const auto wrong_name = shake_hands(*server, *trusting("a"), "elsewhere.test").client;
    ASSERT_FALSE(wrong_name);
    EXPECT_THAT(wrong_name.error().text, HasSubstr("certificate verify failed"));
    EXPECT_FALSE(shake_hands(*server, *trusting("b"), "mx.a.test").client);
}

TEST(Tls, SaysInOpportunisticModeWhetherTheCertificateWouldHold) {
    const Certificates certificates;
    const auto server = certificates.server();
    const auto trusting =
        ClientContext::create({ClientContext::Verify::Opportunistic, certificates.dir + "/a.crt"}).value();
    EXPECT_TRUE((*shake_hands(*server, *trusting, "mx.a.test").client)->info().verified);
    const auto stranger = shake_hands(*server, *trusting, "mx.b.test");
    EXPECT_FALSE((*stranger.client)->info().verified);
    EXPECT_FALSE((*stranger.client)->info().verify_error.empty());
}

TEST(Tls, ResumesASessionAlsoAfterAReload) {
    const Certificates certificates;
    const auto server = certificates.server();
    const auto client =
        ClientContext::create({ClientContext::Verify::Opportunistic, certificates.dir + "/a.crt"}).value();
    EXPECT_FALSE((*shake_hands(*server, *client, "mx.a.test").client)->info().resumed);
    EXPECT_TRUE((*shake_hands(*server, *client, "mx.a.test").client)->info().resumed);
    ASSERT_TRUE(server->reload());
    EXPECT_TRUE((*shake_hands(*server, *client, "mx.a.test").client)->info().resumed);
}

TEST(Tls, ResumesNoSessionWhoseCertificateDidNotHold) {
    const Certificates certificates;
    const auto server = certificates.server();
    const auto client = ClientContext::create({}).value();
    EXPECT_FALSE((*shake_hands(*server, *client, "mx.a.test").client)->info().resumed);
    EXPECT_FALSE((*shake_hands(*server, *client, "mx.a.test").client)->info().resumed) << "it may be mended by now";
}

TEST(Tls, GivesAReadItsTimeHoweverSlowlyARecordComes) {
    const Certificates certificates;
    const auto server = certificates.server();
    const auto client = ClientContext::create({}).value();
    const auto hands = shake_hands(*server, *client, "mx.a.test");
    ASSERT_TRUE(hands.client && hands.server);
    std::atomic<bool> enough{false};
    std::thread dripping([&, fd = (*hands.server)->socket().fd()] {
        const char record[] = {0x17, 0x03, 0x03, 0x40, 0x00};  // 16 KiB of application data, of which little comes
        (void)::send(fd, record, sizeof record, MSG_NOSIGNAL);
        for (int i = 0; i < 200 && !enough; ++i) {
            (void)::send(fd, "x", 1, MSG_NOSIGNAL);
            std::this_thread::sleep_for(20ms);
        }
    });
    char buffer[16];
    const auto begun = std::chrono::steady_clock::now();
    auto got = (*hands.client)->read_some(buffer, 200ms);
    while (got && *got == 0) got = (*hands.client)->read_some(buffer, 200ms);
    EXPECT_LT(std::chrono::steady_clock::now() - begun, 3s);
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, Errc::Timeout);
    enough = true;
    dripping.join();
}

TEST(Tls, KeepsWhatItHasWhenAReloadFails) {
    const Certificates certificates;
    const auto server = certificates.server();
    EXPECT_FALSE(server->reload({{{certificates.dir + "/none.crt", certificates.dir + "/none.key"}}}));
    EXPECT_FALSE(
        server->reload({{{certificates.identity("a").certificate_path, certificates.identity("b").key_path}}}));
    EXPECT_FALSE(server->reload({}));
    const auto client = ClientContext::create({}).value();
    EXPECT_TRUE(shake_hands(*server, *client, "mx.a.test").client);
}

TEST(Tls, FailsOnAClientThatSpeaksNoTls) {
    const Certificates certificates;
    Sockets sockets;
    ASSERT_TRUE(sockets.client->write_all("EHLO client.test\r\n", 1s));
    const auto refused = accept(std::move(sockets.server), *certificates.server(), 2s);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::BadInput);
}

TEST(Tls, FailsOnAClientThatIsSilentOrGone) {
    const Certificates certificates;
    Sockets silent, gone;
    EXPECT_EQ(accept(std::move(silent.server), *certificates.server(), 20ms).error().code, Errc::Timeout);
    gone.client->close();
    EXPECT_EQ(accept(std::move(gone.server), *certificates.server(), 1s).error().code, Errc::Closed);
}

TEST(Tls, DrivesANonBlockingConnection) {
    const Certificates certificates;
    Sockets sockets;
    const auto client = ClientContext::create({}).value();
    const int fd = sockets.server->fd();
    ::fcntl(fd, F_SETFL, O_NONBLOCK);
    std::thread asking([&] {
        auto stream = connect(std::move(sockets.client), *client, "mx.a.test", 5s);
        ASSERT_TRUE(stream);
        ASSERT_TRUE((*stream)->write_all("ping", 5s));
        char buffer[8];
        EXPECT_EQ((*stream)->read_some(buffer, 5s).value(), 4u);
        (*stream)->close();
    });
    const auto wait_for = [fd](Want want) {
        pollfd waiting{fd, static_cast<short>(want == Want::Read ? POLLIN : POLLOUT), 0};
        ASSERT_EQ(::poll(&waiting, 1, 5000), 1);
    };
    const auto context = certificates.server();
    auto connection = Connection::accept(*context, fd).value();
    for (;;) {
        const auto want = connection.handshake();
        ASSERT_TRUE(want) << want.error().text;
        if (*want == Want::None) break;
        wait_for(*want);
    }
    std::string heard;
    bool closed = false;
    while (!closed) {
        char buffer[8];
        const auto io = connection.read(buffer);
        ASSERT_TRUE(io) << io.error().text;
        heard.append(buffer, io->count);
        if (heard == "ping" && io->count > 0) {
            EXPECT_EQ(connection.write("pong").value().count, 4u);
        }
        closed = io->want == Want::Closed;
        if (io->want == Want::Read) wait_for(Want::Read);
    }
    asking.join();
    EXPECT_EQ(heard, "ping");
}

TEST(Tls, MakesNoCertificateForANameThatIsNone) {
    const Certificates certificates;
    EXPECT_EQ(make_self_signed("mx.test,DNS:evil.test", {}, certificates.dir + "/x.crt", certificates.dir + "/x.key")
                  .error()
                  .code,
              Errc::BadInput);
    EXPECT_FALSE(os::exists(certificates.dir + "/x.key"));
}

TEST(Tls, KeepsANewKeyToItsOwnerAndOverwritesNone) {
    Certificates certificates;
    struct stat status {};
    ASSERT_EQ(::stat(certificates.identity("a").key_path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600u);
    EXPECT_EQ(certificates.make("a", "mx.a.test", {}).error().code, Errc::Exists);
}

TEST(Tls, EndsAHandshakeThatTricklesIn) {
    const Certificates certificates;
    const auto context = certificates.server();
    Sockets sockets;
    std::atomic<bool> over{false};
    std::thread trickling([&] {
        // The head of a record of 512 bytes, and then a byte now and then: each comes well within the time for one
        // read.
        (void)sockets.client->write_all(std::string("\x16\x03\x01\x02\x00", 5), 1s);
        while (!over && sockets.client->write_all("x", 1s)) std::this_thread::sleep_for(50ms);
    });
    const auto began = std::chrono::steady_clock::now();
    const auto accepted = accept(std::move(sockets.server), *context, 300ms);
    EXPECT_FALSE(accepted);
    EXPECT_LT(std::chrono::steady_clock::now() - began, 3s);
    over = true;
    trickling.join();
}
