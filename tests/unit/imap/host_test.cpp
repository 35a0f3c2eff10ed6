// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "common/base/ids.hpp"
#include "common/imap/handover.hpp"
#include "common/imap/host/agenda.hpp"
#include "common/imap/host/carry.hpp"
#include "common/imap/host/notes.hpp"
#include "common/imap/host/settings.hpp"
#include "common/imap/host/watcher.hpp"
#include "common/store/incoming.hpp"

namespace gk::imap {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

struct Directory {
    std::string path = (fs::is_directory("/dev/shm") ? "/dev/shm/gk-imap-host-" : "/tmp/gk-imap-host-") + new_id();
    Directory() { fs::create_directories(path); }
    ~Directory() {
        std::error_code error;
        fs::remove_all(path, error);
    }
};

struct Pair {
    os::Fd a, b;
    explicit Pair(int type) {
        int fds[2];
        EXPECT_EQ(::socketpair(AF_UNIX, type, 0, fds), 0);
        a = os::Fd(fds[0]);
        b = os::Fd(fds[1]);
    }
};

// Reads from FD until WANTED came, or a deadline.
std::string read_until(int fd, std::string_view wanted) {
    std::string heard;
    while (heard.find(wanted) == std::string::npos) {
        pollfd one{fd, POLLIN, 0};
        if (::poll(&one, 1, 10'000) <= 0) break;
        char buffer[4096];
        const ssize_t count = ::read(fd, buffer, sizeof buffer);
        if (count <= 0) break;
        heard.append(buffer, static_cast<std::size_t>(count));
    }
    return heard;
}

void tell(int fd, std::string_view text) {
    ASSERT_EQ(::write(fd, text.data(), text.size()), static_cast<ssize_t>(text.size()));
}

std::shared_ptr<store::Account> open_account(const std::string& home) {
    store::AccountOptions options;
    options.create = true;
    auto account = store::Account::open(home, options);
    return account ? *account : nullptr;
}

TEST(ImapHandover, ReadsWhatItWrites) {
    const Handover handover{.ticket = "a\tb",
                            .ip = "2001:db8::1",
                            .port = 993,
                            .tls = true,
                            .session_id = "S",
                            .tag = "A%1",
                            .with_capabilities = true};
    const std::string line = format_handover(handover);
    ASSERT_EQ(line.back(), '\n');
    const auto read = parse_handover(std::string_view(line).substr(0, line.size() - 1));
    ASSERT_TRUE(read);
    EXPECT_EQ(read->ticket, handover.ticket);
    EXPECT_EQ(read->ip, handover.ip);
    EXPECT_EQ(read->port, 993);
    EXPECT_EQ(read->tag, handover.tag);
    EXPECT_TRUE(read->tls && read->with_capabilities);
    for (const char* wrong : {"", "SESSION", "SESSION\tticket=x", "SESSION\tticket=x\ttag=a%0Ab",
                              "SESSION\tticket=%zz\ttag=a", "HELLO\tticket=x\ttag=a"})
        EXPECT_FALSE(parse_handover(wrong)) << wrong;
    const auto refused = parse_handover_answer("FAIL\tcode=temp\ttext=too%20many");
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->text, "too many");
    EXPECT_TRUE(parse_handover_answer("OK")->accepted);
    EXPECT_FALSE(parse_handover_answer("PERHAPS"));
}

TEST(ImapNotes, ReadWhatTheyWriteAndNeverBlock) {
    const auto selected = parse_note(format_note(Selected{"a\tb", "/mail/x y"}));
    ASSERT_TRUE(selected);
    EXPECT_EQ(std::get<Selected>(*selected).mailbox, "a\tb");
    EXPECT_EQ(std::get<Selected>(*selected).directory, "/mail/x y");
    EXPECT_EQ(std::get<OwnChange>(*parse_note(format_note(OwnChange{"INBOX", 7}))).modseq, 7u);
    EXPECT_TRUE(std::get<Watches>(*parse_note(format_note(Watches{true}))).account);
    EXPECT_TRUE(std::get<LookNow>(*parse_note(format_note(LookNow{true}))).thorough);
    for (const char* wrong : {"", "X", "S\ta", "C\tINBOX\tx", "S\t%z\t/"}) EXPECT_FALSE(parse_note(wrong)) << wrong;

    Pair pair(SOCK_SEQPACKET);
    for (int i = 0; i < 100'000; ++i) send_note(pair.a.get(), LookNow{});  // far more than fit
    bool closed = false;
    EXPECT_TRUE(receive_note(pair.b.get(), closed));
    while (receive_note(pair.b.get(), closed)) {}
    EXPECT_FALSE(closed);
    pair.a.reset();
    EXPECT_FALSE(receive_note(pair.b.get(), closed));
    EXPECT_TRUE(closed);
}

TEST(ImapWatcher, TellsOfRenamesAndDeletionsInWatchedMailboxesOnly) {
    const Directory directory;
    for (const char* box : {"/one", "/two"})
        for (const char* sub : {"/cur", "/new", "/tmp"}) fs::create_directories(directory.path + box + sub);
    Watcher watcher;
    ASSERT_GE(watcher.fd(), 0);
    const auto touched = [&] {
        std::string all;
        for (const auto& [path, arrived] : watcher.touched()) all += path + (arrived ? " arrived" : "");
        return all;
    };
    const std::string one = directory.path + "/one", two = directory.path + "/two";
    watcher.add(one);
    watcher.add(one);
    std::ofstream(one + "/tmp/x") << "x";
    EXPECT_EQ(touched(), "");
    fs::rename(one + "/tmp/x", one + "/new/x");
    EXPECT_EQ(touched(), one + " arrived");
    fs::rename(one + "/new/x", one + "/cur/x:2,S");
    EXPECT_EQ(touched(), one);
    EXPECT_TRUE(watcher.listen_again().empty());
    std::ofstream(two + "/new/y") << "y";
    EXPECT_EQ(touched(), "");
    watcher.remove(one);
    fs::remove(one + "/cur/x:2,S");
    EXPECT_EQ(touched(), one);
    watcher.remove(one);
    std::ofstream(one + "/new/z") << "z";
    EXPECT_EQ(touched(), "");
}

TEST(ImapWatcher, HearsAgainWhereMoreHappenedThanTheKernelKeeps) {
    const Directory directory;
    for (const char* sub : {"/box/cur", "/box/new"}) fs::create_directories(directory.path + sub);
    const std::string box = directory.path + "/box", file = box + "/cur/x";
    int most = 0;
    ASSERT_TRUE(std::ifstream("/proc/sys/fs/inotify/max_queued_events") >> most);
    ASSERT_LE(most, 1'000'000);
    Watcher watcher;
    ASSERT_GE(watcher.fd(), 0);
    watcher.add(box);
    std::ofstream(box + "/new/a") << "x";
    for (int i = 0; i < most / 4 + 10; ++i) {  // each is told of twice
        fs::rename(box + "/new/a", box + "/new/b");
        fs::rename(box + "/new/b", box + "/new/a");
    }
    std::ofstream(file) << "x";  // nobody is told of this one
    EXPECT_EQ(watcher.touched().size(), 1u);
    EXPECT_TRUE(watcher.listen_again().empty());
    fs::remove(file);
    EXPECT_EQ(watcher.touched().size(), 1u);
}

TEST(ImapWatcher, TellsOnceOfManyChangesInCurAndThenWhetherThereWereMore) {
    const Directory directory;
    for (const char* sub : {"/box/cur", "/box/new"}) fs::create_directories(directory.path + sub);
    const std::string box = directory.path + "/box", file = box + "/cur/x:2,";
    std::ofstream(file) << "x";
    Watcher watcher;
    ASSERT_GE(watcher.fd(), 0);
    watcher.add(box);
    std::string letters;
    for (const char letter : {'D', 'F', 'R'}) {
        fs::rename(file + letters, file + letters + letter);
        letters += letter;
    }
    EXPECT_EQ(watcher.touched().size(), 1u);
    EXPECT_TRUE(watcher.listen_again().empty());  // those were before it was told
    fs::rename(file + letters, file + letters + 'S');
    letters += 'S';
    EXPECT_EQ(watcher.touched().size(), 1u);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));  // a tick of the file system's clock
    fs::rename(file + letters, file + letters + 'T');
    letters += 'T';
    EXPECT_TRUE(watcher.touched().empty());
    EXPECT_EQ(watcher.listen_again(), std::vector<std::string>{box});
    fs::remove(file + letters);
    EXPECT_EQ(watcher.touched().size(), 1u);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    std::ofstream(file) << "y";
    watcher.overlook(box);
    EXPECT_TRUE(watcher.listen_again().empty());
    fs::remove(file);
    EXPECT_EQ(watcher.touched().size(), 1u);
    watcher.remove(box);
    EXPECT_TRUE(watcher.listen_again().empty());
}

TEST(ImapAgenda, ServesWhatIsDueLongestWhateverItsName) {
    const auto at = [](int second) { return Agenda::Time(std::chrono::seconds(second)); };
    Agenda agenda;
    EXPECT_EQ(agenda.next(), Agenda::Time::max());
    EXPECT_FALSE(agenda.take(Agenda::Time::max()));
    agenda.no_later("zoe", at(1));
    agenda.no_later("ann", at(3));
    agenda.no_later("ann", at(2));
    agenda.no_later("ann", at(9));
    agenda.put("bob", at(1));
    agenda.put("bob", at(4));
    agenda.put("gone", at(1));
    agenda.erase("gone");
    EXPECT_EQ(agenda.next(), at(1));
    EXPECT_FALSE(agenda.take(at(0)));
    EXPECT_EQ(agenda.take(at(9)), "zoe");
    // Due again already: those who waited meanwhile come first.
    agenda.no_later("zoe", at(8));
    EXPECT_EQ(agenda.take(at(9)), "ann");
    EXPECT_EQ(agenda.take(at(9)), "bob");
    EXPECT_EQ(agenda.take(at(9)), "zoe");
    EXPECT_FALSE(agenda.take(at(9)));
}

TEST(ImapHost, NamesHomesOnlyInsideTheMail) {
    EXPECT_EQ(home_of("/m", "ann@a.test").value(), "/m/a.test/ann");
    for (const char* wrong :
         {"", "ann", "@a.test", "ann@", "../x@a.test", "ann@..", "a/b@a.test", "ann@a/b", ".x@a.test"})
        EXPECT_FALSE(home_of("/m", wrong)) << wrong;
}

TEST(ImapCarry, CarriesASessionToItsEnd) {
    const Directory directory;
    Pair client(SOCK_STREAM);
    Session session(open_account(directory.path));
    Carried carried;
    std::thread host([&] {
        CarryOptions options;
        options.in = options.out = client.b.get();
        carried = carry(session, std::move(options));
        client.b.reset();
    });
    tell(client.a.get(), "a NOOP\r\n");
    EXPECT_EQ(read_until(client.a.get(), "\r\n"), "a OK Nothing done\r\n");
    tell(client.a.get(), "b LOGOUT\r\n");
    EXPECT_EQ(read_until(client.a.get(), "b OK"), "* BYE Until next time\r\nb OK Logged out\r\n");
    host.join();
    EXPECT_EQ(carried.end, "logout");
    EXPECT_EQ(carried.octets_in, 18u);
}

TEST(ImapCarry, SendsSilentClientsAwayAndEndsWithTheirConnection) {
    const Directory directory;
    {
        Pair client(SOCK_STREAM);
        Session session(open_account(directory.path));
        CarryOptions options;
        options.in = options.out = client.b.get();
        options.idle_timeout = 20ms;
        EXPECT_EQ(carry(session, std::move(options)).end, "idle");
        EXPECT_EQ(read_until(client.a.get(), "\r\n"), "* BYE Silent for too long\r\n");
    }
    Pair client(SOCK_STREAM);
    Session session(open_account(directory.path));
    CarryOptions options;
    options.in = options.out = client.b.get();
    client.a.reset();
    EXPECT_EQ(carry(session, std::move(options)).end, "closed");
}

TEST(ImapCarry, LeavesChoresToOthersWhereItIsAskedToStop) {
    sigset_t before;
    ASSERT_EQ(::pthread_sigmask(SIG_BLOCK, nullptr, &before), 0);
    auto signals = os::Signals::install();
    ASSERT_TRUE(signals);
    const Directory directory;
    Pair client(SOCK_STREAM);
    const auto account = open_account(directory.path);
    auto incoming = account->incoming("INBOX");
    ASSERT_TRUE(incoming && incoming->begin() && incoming->write("Subject: x\r\n\r\nx\r\n") && incoming->commit());
    Session session(account);
    session.feed("a SELECT INBOX\r\n");
    CarryOptions options;
    options.in = options.out = client.b.get();
    options.signals = &*signals;
    client.a.reset();
    ASSERT_EQ(::raise(SIGTERM), 0);
    EXPECT_EQ(carry(session, std::move(options)).end, "closed");
    EXPECT_FALSE(fs::is_empty(account->mailbox_path("INBOX") + "/new"));
    EXPECT_EQ(signals->next(), os::Signals::Kind::Stop);
    ASSERT_EQ(::pthread_sigmask(SIG_SETMASK, &before, nullptr), 0);
}

TEST(ImapCarry, GivesUpOnAClientThatTakesNothing) {
    const Directory directory;
    Pair client(SOCK_STREAM);
    Session session(open_account(directory.path));
    std::string message = "Subject: x\r\n\r\n" + std::string(4 << 20, 'x');
    session.feed("a APPEND INBOX {" + std::to_string(message.size()) + "+}\r\n" + message +
                 "\r\nb SELECT INBOX\r\nc FETCH 1 BODY[]\r\n");
    CarryOptions options;
    options.in = options.out = client.b.get();
    options.write_timeout = 50ms;
    ASSERT_EQ(::fcntl(client.b.get(), F_SETFL, O_NONBLOCK), 0);
    EXPECT_EQ(carry(session, std::move(options)).end, "write");
}

TEST(ImapCarry, TellsAnIdleClientWhatTheParentSays) {
    const Directory directory;
    Pair client(SOCK_STREAM), notes(SOCK_SEQPACKET);
    const auto account = open_account(directory.path);
    Session session(account), other(account);
    Carried carried;
    std::thread host([&] {
        CarryOptions options;
        options.in = options.out = client.b.get();
        options.notes = notes.b.get();
        options.on_notes = [&](Session& told) {
            bool closed = false;
            while (receive_note(notes.b.get(), closed)) told.changed();
            return !closed;
        };
        carried = carry(session, std::move(options));
    });
    tell(client.a.get(), "a SELECT INBOX\r\nb IDLE\r\n");
    read_until(client.a.get(), "+ idling\r\n");
    other.feed("a APPEND INBOX {2+}\r\nhi\r\n");
    other.run();
    send_note(notes.a.get(), LookNow{});
    EXPECT_EQ(read_until(client.a.get(), "RECENT\r\n"), "* 1 EXISTS\r\n* 1 RECENT\r\n");
    notes.a.reset();
    EXPECT_EQ(read_until(client.a.get(), "\r\n"), "* BYE The server was restarted, connect again\r\n");
    host.join();
    EXPECT_EQ(carried.end, "parent");
}

}  // namespace
}  // namespace gk::imap
