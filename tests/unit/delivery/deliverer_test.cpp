// SPDX-License-Identifier: MIT
#include "common/delivery/deliverer.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <cstdlib>

#include "common/delivery/content.hpp"
#include "common/os/file.hpp"
#include "common/queue/spool.hpp"
#include "common/sieve_scripts/store.hpp"

namespace gk::delivery {
namespace {

constexpr std::string_view kMessage = "From: bob@b.test\r\nSubject: hello\r\n\r\ntext\r\n";

class Delivery : public ::testing::Test {
protected:
    void SetUp() override {
        char name[] = "/tmp/gk-delivery-XXXXXX";
        root_ = ::mkdtemp(name);
        paths_ = config::Paths::under(root_);
        for (const auto& dir : {paths_.mail, paths_.run}) ASSERT_TRUE(os::make_directories(dir));
        ASSERT_TRUE(queue::create_spool(paths_.spool));
        auto opened = directory::Directory::open(paths_, false);
        ASSERT_TRUE(opened) << opened.error().text;
        directory_ = *opened;
        const directory::Actor actor{"test"};
        ASSERT_TRUE(directory_->add_domain("a.test", actor));
        ASSERT_TRUE(directory_->add_account("ann@a.test", {}, actor));
        ASSERT_TRUE(directory_->add_account("ben@a.test", {}, actor));
        ASSERT_TRUE(directory_->add_account("cat@a.test", {.name = "", .admin = false, .quota_bytes = 2000}, actor));
        ASSERT_TRUE(directory_->add_alias("all@a.test", {"ann@a.test", "ben@a.test", "cat@a.test"}, actor));
        ASSERT_TRUE(directory_->add_alias("out@a.test", {"zoe@elsewhere.test"}, actor));
        ASSERT_TRUE(
            directory_->add_alias("mixed@a.test", {"ann@a.test", "zoe@elsewhere.test", "yan@elsewhere.test"}, actor));
        open("");
    }
    void TearDown() override {
        deliverer_.reset();
        (void)os::remove_tree(root_);
    }

    void open(std::string_view toml, Deliverer::Index index = Deliverer::Index::AtOnce) {
        auto config = config::Config::parse(toml, paths_);
        ASSERT_TRUE(config) << config.error().text;
        auto opened = Deliverer::open(*config, index);
        ASSERT_TRUE(opened) << opened.error().text;
        deliverer_ = std::move(*opened);
    }
    Answer check(const std::string& address, std::uint64_t size = 0) {
        Recipient recipient;
        recipient.address = address;
        return deliverer_->check(recipient, size);
    }
    std::vector<Outcome> deliver(const std::vector<std::string>& addresses, std::string_view message = kMessage,
                                 std::string_view mailbox = {}, queue::Body body = queue::Body::EightBitMime) {
        std::vector<Recipient> recipients;
        for (const auto& address : addresses) {
            Recipient recipient;
            recipient.address = address;
            EXPECT_TRUE(deliverer_->check(recipient, 0).positive()) << address;
            recipients.push_back(recipient);
        }
        Envelope envelope;
        envelope.reverse_path = "bob@b.test";
        envelope.trace_id = "01TRACE";
        envelope.body = body;
        envelope.from_gk = from_gk_;
        return deliverer_->deliver(envelope, recipients, message, mailbox);
    }
    // Contents of all files in new/ and cur/ of a mailbox directory.
    std::vector<std::string> stored(const std::string& user, const std::string& dir = "") {
        std::vector<std::string> found;
        for (const char* sub : {"/new", "/cur"}) {
            const std::string at = paths_.mail + "/a.test/" + user + "/Maildir" + dir + sub;
            const auto entries = os::list_directory(at);
            if (!entries) continue;
            for (const auto& entry : *entries) found.push_back(*os::read_file(at + '/' + entry.name));
        }
        return found;
    }
    std::vector<std::string> spooled() {
        std::vector<std::string> found;
        const auto entries = os::list_directory(paths_.spool + "/new");
        for (const auto& entry : *entries) found.push_back(*os::read_file(paths_.spool + "/new/" + entry.name));
        return found;
    }

    std::string root_;
    config::Paths paths_;
    std::shared_ptr<directory::Directory> directory_;
    bool from_gk_ = false;
    std::unique_ptr<Deliverer> deliverer_;
};

TEST_F(Delivery, AnswersForRecipientsBeforeThereIsAMessage) {
    EXPECT_EQ(check("ann@a.test").code, 250);
    EXPECT_EQ(check("Ann@A.TEST").code, 250);
    EXPECT_EQ(check("ann+lists@a.test").code, 250);
    EXPECT_EQ(check("nobody@a.test").code, 550);
    EXPECT_EQ(check("nobody@a.test").enhanced, "5.1.1");
    EXPECT_EQ(check("ann@elsewhere.test").code, 551);
    EXPECT_EQ(check("ann@elsewhere.test").enhanced, "5.7.1");
    EXPECT_EQ(check("no address").code / 100, 5);
    EXPECT_EQ(check("cat@a.test").code, 250);
    EXPECT_EQ(check("cat@a.test", 5000).enhanced, "4.2.2");
}

TEST_F(Delivery, PutsReversePathAndRecipientInFrontAndStoresWithLineFeeds) {
    const auto outcomes = deliver({"ann@a.test"});
    ASSERT_EQ(outcomes.size(), 1u);
    EXPECT_EQ(outcomes[0].answer.code, 250) << outcomes[0].error;
    ASSERT_EQ(outcomes[0].filed.size(), 1u);
    EXPECT_EQ(outcomes[0].filed[0].account, "ann@a.test");
    EXPECT_EQ(outcomes[0].filed[0].mailbox, "INBOX");
    EXPECT_GT(outcomes[0].filed[0].uid, 0u);
    EXPECT_EQ(stored("ann"), std::vector<std::string>{"Return-Path: <bob@b.test>\nDelivered-To: ann@a.test\n"
                                                      "From: bob@b.test\nSubject: hello\n\ntext\n"});
}

TEST_F(Delivery, AnswersWhenTheMessageIsDurableAndIndexesItAfterwards) {
    open("", Deliverer::Index::Soon);
    for (int i = 0; i < 20; ++i) {
        const auto outcomes = deliver({"ann@a.test"});
        ASSERT_EQ(outcomes[0].answer.code, 250) << outcomes[0].error;
        EXPECT_EQ(outcomes[0].filed[0].uid, 0u);
        const std::string file = paths_.mail + "/a.test/ann/Maildir/new/" + outcomes[0].filed[0].file;
        EXPECT_TRUE(os::exists(file)) << file;
    }
    deliverer_.reset();  // indexes what waits
    const auto account = store::Account::open(paths_.mail + "/a.test/ann");
    ASSERT_TRUE(account);
    const auto status = (*account)->status("INBOX");
    ASSERT_TRUE(status);
    EXPECT_EQ(status->messages, 20u);
    EXPECT_EQ(status->uidnext, 21u);
}

TEST_F(Delivery, CountsMessagesThatWaitForTheirRowsAgainstTheQuota) {
    open("", Deliverer::Index::Soon);
    const std::string text = "Subject: big\r\n\r\n" + std::string(1500, 'x') + "\r\n";
    EXPECT_EQ(deliver({"cat@a.test"}, text)[0].answer.code, 250);
    EXPECT_EQ(check("cat@a.test", 1000).enhanced, "4.2.2");
}

TEST_F(Delivery, KeepsTheBytesOfAMessageWithBareLineEnds) {
    deliver({"ann@a.test"}, "Subject: b\r\n\r\na\nb\rc\r\n", {}, queue::Body::BinaryMime);
    ASSERT_EQ(stored("ann").size(), 1u);
    EXPECT_TRUE(stored("ann")[0].ends_with("Subject: b\r\n\r\na\nb\rc\r\n"));
}

TEST_F(Delivery, GivesEachAccountOneCopyHoweverManyRecipientsLeadThere) {
    const auto outcomes = deliver({"ann@a.test", "all@a.test", "ANN@a.test"});
    for (const auto& outcome : outcomes) EXPECT_EQ(outcome.answer.code, 250) << outcome.error;
    EXPECT_EQ(stored("ann").size(), 1u);
    EXPECT_EQ(stored("ben").size(), 1u);
    EXPECT_EQ(stored("cat").size(), 1u);
    EXPECT_EQ(outcomes[0].filed.size(), 1u);
    EXPECT_EQ(outcomes[1].filed.size(), 2u);
    EXPECT_TRUE(outcomes[2].filed.empty());
}

TEST_F(Delivery, FilesSubAddressesWhereTheMailboxExists) {
    ASSERT_TRUE(deliver({"ann+lists@a.test"})[0].answer.positive());
    EXPECT_EQ(stored("ann").size(), 1u) << "no such mailbox: INBOX";
    EXPECT_NE(stored("ann")[0].find("Delivered-To: ann+lists@a.test\n"), std::string::npos);
    auto account = store::Account::open(paths_.mail + "/a.test/ann", {});
    ASSERT_TRUE(account);
    ASSERT_TRUE((*account)->create("Lists"));
    const auto outcome = deliver({"ann+lists@a.test"})[0];
    ASSERT_EQ(outcome.filed.size(), 1u);
    EXPECT_EQ(outcome.filed[0].mailbox, "Lists");
    EXPECT_EQ(stored("ann", "/.Lists").size(), 1u);
    for (const char* hostile : {"ann+a/b@a.test", "ann+~@a.test", "ann+a.b@a.test", "ann+INBOX@a.test"})
        EXPECT_EQ(deliver({hostile}).at(0).filed.at(0).mailbox, "INBOX") << hostile;
}

TEST_F(Delivery, MakesOrIgnoresTheSubAddressMailboxAsConfigured) {
    open("[delivery]\nsubaddress_mailbox = \"create\"\n");
    EXPECT_EQ(deliver({"ann+new@a.test"})[0].filed[0].mailbox, "new");
    open("[delivery]\nsubaddress_mailbox = \"never\"\n");
    EXPECT_EQ(deliver({"ann+new@a.test"})[0].filed[0].mailbox, "INBOX");
}

TEST_F(Delivery, SendsWhatLeavesToTheSpoolInOnePiece) {
    const auto outcomes = deliver({"mixed@a.test", "out@a.test"});
    EXPECT_TRUE(outcomes[0].answer.positive());
    EXPECT_EQ(outcomes[0].filed.size(), 1u);
    EXPECT_FALSE(outcomes[0].spool_id.empty());
    EXPECT_EQ(outcomes[0].spool_id, outcomes[1].spool_id);
    ASSERT_EQ(spooled().size(), 1u);
    const std::string file = spooled()[0];
    EXPECT_NE(file.find("yan@elsewhere.test"), std::string::npos);
    EXPECT_NE(file.find("zoe@elsewhere.test"), std::string::npos);
    EXPECT_NE(file.find("Delivered-To: mixed@a.test\r\n"), std::string::npos);
    EXPECT_NE(file.find("Subject: hello\r\n"), std::string::npos);
}

// RFC 3461, 5.2.7.
TEST_F(Delivery, SaysWhoReportsSuccess) {
    EXPECT_EQ(deliver({"ann@a.test"})[0].answer.text, "delivered");
    EXPECT_EQ(deliver({"out@a.test"})[0].answer.text, "forwarded");
    EXPECT_EQ(deliver({"mixed@a.test"})[0].answer.text, "expanded to 3 addresses");
    Recipient recipient;
    recipient.address = "mixed+x@a.test";
    recipient.notify = queue::kNotifySuccess;
    ASSERT_TRUE(deliverer_->check(recipient, 0).positive());
    Envelope envelope;
    envelope.reverse_path = "bob@b.test";
    EXPECT_TRUE(deliverer_->deliver(envelope, {recipient}, kMessage)[0].answer.positive());
    bool found = false;
    for (const auto& file : spooled())
        found |= file.find("orcpt=rfc822;mixed%2B2Bx@a.test\tnotify=NEVER") != std::string::npos ||
                 file.find("orcpt=rfc822;mixed+2Bx@a.test\tnotify=NEVER") != std::string::npos;
    EXPECT_TRUE(found);
}

TEST_F(Delivery, RefusesAMessageThatCameBackToAnAliasThatLeadsOut) {
    const std::string been = "Delivered-To: Mixed@A.test\r\n" + std::string(kMessage);
    const auto outcomes = deliver({"mixed@a.test", "ben@a.test"}, been);
    EXPECT_EQ(outcomes[0].answer.code, 554);
    EXPECT_EQ(outcomes[0].answer.enhanced, "5.4.6");
    EXPECT_TRUE(outcomes[1].answer.positive());
    EXPECT_TRUE(spooled().empty());
    EXPECT_TRUE(stored("ann").empty());
    // A person who sends her own mail to herself again is no loop.
    EXPECT_TRUE(deliver({"ann@a.test"}, "Delivered-To: ann@a.test\r\n" + std::string(kMessage))[0].answer.positive());
}

TEST_F(Delivery, HoldsADomainToItsQuota) {
    const directory::Actor actor{"test"};
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(deliver({"ann@a.test"}).front().answer.positive());
    EXPECT_TRUE(deliver({"ben@a.test"}).front().answer.positive());
    ASSERT_TRUE(directory_->set_domain_quota("a.test", {0, 5}, actor));
    EXPECT_TRUE(check("ben@a.test").positive());
    EXPECT_TRUE(deliver({"ben@a.test"}).front().answer.positive());
    // What was delivered since the sum was taken counts at once.
    EXPECT_EQ(check("ann@a.test").code, 452);
    EXPECT_EQ(check("ben@a.test").enhanced, "4.2.2");
    ASSERT_TRUE(directory_->set_domain_quota("a.test", {1'000'000, 0}, actor));
    EXPECT_TRUE(check("ann@a.test").positive());
    EXPECT_EQ(check("ann@a.test", 1'000'000).code, 452);
    EXPECT_FALSE(directory_->set_domain_quota("b.test", {1, 1}, actor));
}

TEST_F(Delivery, HoldsAnAccountToItsNumberOfMessages) {
    ASSERT_TRUE(directory_->add_account("dan@a.test", {.name = "", .admin = false, .quota_messages = 2},
                                        directory::Actor{"test"}));
    for (int i = 0; i < 2; ++i) EXPECT_TRUE(deliver({"dan@a.test"}).front().answer.positive());
    EXPECT_EQ(check("dan@a.test").code, 452);
    EXPECT_EQ(check("dan@a.test").enhanced, "4.2.2");
}

TEST_F(Delivery, RefusesForNowWhatDoesNotFitTheQuota) {
    const std::string large = std::string(kMessage) + std::string(3000, 'x') + "\r\n";
    const auto outcome = deliver({"cat@a.test"}, large)[0];
    EXPECT_EQ(outcome.answer.code, 452);
    EXPECT_EQ(outcome.answer.enhanced, "4.2.2");
    EXPECT_TRUE(stored("cat").empty());
    EXPECT_TRUE(deliver({"cat@a.test"})[0].answer.positive());
}

TEST_F(Delivery, LeavesTheFailedPartOfAnAliasToTheQueueAndTellsNobodyTwice) {
    const std::string large = std::string(kMessage) + std::string(3000, 'x') + "\r\n";
    const auto outcome = deliver({"all@a.test"}, large)[0];
    EXPECT_EQ(outcome.answer.code, 250);
    EXPECT_EQ(outcome.filed.size(), 2u);
    ASSERT_EQ(spooled().size(), 1u);
    EXPECT_NE(spooled()[0].find("cat@a.test"), std::string::npos);
    EXPECT_EQ(spooled()[0].find("ben@a.test"), std::string::npos);
}

TEST_F(Delivery, RefusesARecipientThatLeadsToNobody) {
    Recipient nobody;
    nobody.address = "gone@a.test";
    nobody.resolution.kind = directory::Resolution::Kind::Found;
    EXPECT_EQ(deliverer_->deliver({}, {nobody}, kMessage)[0].answer.code, 550);
}

#ifndef __has_feature  // g++
#define __has_feature(x) 0
#endif
// The sanitizers end the program where memory is not to be had.
#if !defined(__SANITIZE_ADDRESS__) && !__has_feature(address_sanitizer) && !defined(GK_UNDER_TSAN)
TEST_F(Delivery, AnswersTempfailWhereMemoryRunsOut) {
    for (const char* user : {"ann", "ben"}) {
        sieve_scripts::Store scripts(paths_.mail + "/a.test/" + user, {});
        ASSERT_TRUE(scripts.put("main", "keep;"));
        ASSERT_TRUE(scripts.activate("main"));
    }
    ASSERT_TRUE(directory_->add_alias("two@a.test", {"ann@a.test", "ben@a.test"}, directory::Actor{"test"}));
    Recipient two;
    two.address = "two@a.test";
    ASSERT_TRUE(deliverer_->check(two, 0).positive());
    constexpr std::size_t kSize = std::size_t{1} << 45;  // may be mapped, but not had a second time
    void* const memory =
        ::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    ASSERT_NE(memory, MAP_FAILED);
    std::copy(kMessage.begin(), kMessage.end(), static_cast<char*>(memory));
    Envelope envelope;
    envelope.reverse_path = "bob@b.test";
    envelope.front = "Precedence: list\r\n";  // scripts see it with the message: a second one
    const auto outcome = deliverer_->deliver(envelope, {two}, {static_cast<char*>(memory), kSize})[0];
    ::munmap(memory, kSize);
    EXPECT_EQ(outcome.answer.code, 451);
    EXPECT_TRUE(stored("ann").empty());
}
#endif

TEST_F(Delivery, LeavesAFailureToTheQueueForAllWhomThatOneCopyServes) {
    const std::string large = std::string(kMessage) + std::string(3000, 'x') + "\r\n";
    const auto outcomes = deliver({"cat@a.test", "all@a.test"}, large);
    for (const auto& outcome : outcomes) {
        EXPECT_EQ(outcome.answer.code, 250) << outcome.error;  // 4yz for all@ would bring ann a second one
        EXPECT_FALSE(outcome.spool_id.empty());
    }
    EXPECT_EQ(outcomes[0].answer.text, "forwarded");
    EXPECT_EQ(spooled().size(), 1u);
    EXPECT_EQ(stored("ann").size(), 1u);
}

TEST_F(Delivery, FilesNothingWhereTheSpoolTakesNothing) {
    ASSERT_TRUE(os::remove_tree(paths_.spool));
    ASSERT_TRUE(os::replace_file(paths_.spool, "no directory"));
    const auto outcomes = deliver({"mixed@a.test", "ben@a.test"});
    EXPECT_EQ(outcomes[0].answer.code / 100, 4);
    EXPECT_TRUE(stored("ann").empty()) << "the next try would bring another";
    EXPECT_EQ(outcomes[1].answer.code, 250);
    EXPECT_EQ(stored("ben").size(), 1u);
}

TEST_F(Delivery, AnswersTempfailWhenTheMessageIsNotDurable) {
    ASSERT_TRUE(deliver({"ann@a.test"})[0].answer.positive());
    struct rlimit before {};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
    auto* const old = ::signal(SIGXFSZ, SIG_IGN);
    struct rlimit small = before;
    small.rlim_cur = 300'000;
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
    const auto outcome = deliver({"ann@a.test"}, std::string(kMessage) + std::string(400'000, 'x'))[0];
    EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
    ::signal(SIGXFSZ, old);
    EXPECT_EQ(outcome.answer.code / 100, 4);
    EXPECT_FALSE(outcome.error.empty());
    EXPECT_EQ(stored("ann").size(), 1u);
}

TEST_F(Delivery, FilesQuarantinedMailIntoJunkWhereGkSmtpdSaysSo) {
    const std::string marked = "X-GK-Quarantine: dmarc=fail b.test\r\nReceived: from x\r\n" + std::string(kMessage);
    EXPECT_EQ(deliver({"ann@a.test"}, marked)[0].filed[0].mailbox, "INBOX");
    from_gk_ = true;
    EXPECT_EQ(deliver({"ann@a.test"}, marked)[0].filed[0].mailbox, "Junk");
    EXPECT_EQ(deliver({"ann@a.test"}, "Received: from x\r\n" + marked)[0].filed[0].mailbox, "INBOX");
    EXPECT_EQ(deliver({"ann@a.test"})[0].filed[0].mailbox, "INBOX");
}

TEST_F(Delivery, FilesIntoTheMailboxThatIsAskedForOrNowhere) {
    ASSERT_TRUE(deliver({"ann@a.test"}, kMessage, "Junk")[0].answer.positive());
    EXPECT_EQ(stored("ann", "/.Junk").size(), 1u);
    EXPECT_EQ(deliver({"ann@a.test"}, kMessage, "Nowhere")[0].answer.code, 451);
}

TEST_F(Delivery, SaysWhatItWouldDoWithoutDoingIt) {
    Recipient recipient;
    recipient.address = "mixed@a.test";
    ASSERT_TRUE(deliverer_->check(recipient, 0).positive());
    const auto planned = deliverer_->plan(recipient);
    ASSERT_TRUE(planned);
    ASSERT_EQ(planned->size(), 3u);
    EXPECT_EQ((*planned)[0].account, "ann@a.test");
    EXPECT_EQ((*planned)[0].mailbox, "INBOX");
    EXPECT_FALSE((*planned)[1].external.empty());
    EXPECT_FALSE(os::exists(paths_.mail + "/a.test/ann"));
}

TEST(Content, HoldsTheSameBytesInMemoryAndInAFile) {
    std::string bytes;
    for (int i = 0; bytes.size() < 1'000'000; ++i) bytes += std::to_string(i) + ' ';
    for (const std::size_t limit : {std::size_t{0}, std::size_t{1000}, std::size_t{300'000}, bytes.size()}) {
        Content content(limit, "/tmp");
        for (int again = 0; again < 2; ++again) {
            for (std::size_t at = 0; at < bytes.size(); at += 7777)
                ASSERT_TRUE(content.write(std::string_view(bytes).substr(at, 7777)));
            const auto view = content.bytes();
            ASSERT_TRUE(view);
            EXPECT_TRUE(*view == bytes) << limit;
            EXPECT_EQ(content.size(), bytes.size());
            content.clear();
        }
    }
}

TEST(Content, TellsThatItCouldNotHoldAMessage) {
    Content content(10, "/nowhere");
    EXPECT_TRUE(content.write("short"));
    EXPECT_FALSE(content.write("longer than ten bytes"));
    EXPECT_FALSE(content.bytes());
    content.clear();
    EXPECT_TRUE(content.write("short"));
    EXPECT_EQ(*content.bytes(), "short");
}

}  // namespace
}  // namespace gk::delivery
