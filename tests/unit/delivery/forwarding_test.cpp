// SPDX-License-Identifier: MIT
#include "common/delivery/forwarding.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <cstdlib>

#include "common/delivery/deliverer.hpp"
#include "common/os/file.hpp"
#include "common/queue/spool.hpp"
#include "common/queue/spool_file.hpp"

namespace gk::delivery {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

const directory::Actor kActor{"test"};
constexpr std::string_view kMessage = "From: bob@b.test\r\nSubject: hello\r\n\r\ntext\r\n";

class Forward : public ::testing::Test {
protected:
    void SetUp() override {
        char name[] = "/tmp/gk-forward-XXXXXX";
        root_ = ::mkdtemp(name);
        paths_ = config::Paths::under(root_);
        for (const auto& dir : {paths_.mail, paths_.run}) ASSERT_TRUE(os::make_directories(dir));
        ASSERT_TRUE(queue::create_spool(paths_.spool));
        directory_ = directory::Directory::open(paths_, false).value();
        ASSERT_TRUE(directory_->add_domain("a.test", kActor));
        for (const char* account : {"ann@a.test", "ben@a.test"})
            ASSERT_TRUE(directory_->add_account(account, {}, kActor));
        ASSERT_TRUE(directory_->add_alias("out@a.test", {"zoe@elsewhere.test"}, kActor));
        open("");
    }
    void TearDown() override {
        deliverer_.reset();
        (void)os::remove_tree(root_);
    }
    void open(std::string_view toml) {
        deliverer_ = Deliverer::open(config::Config::parse(toml, paths_).value()).value();
    }
    void list(const std::string& address, const std::vector<std::string>& members, const std::string& post = "anyone") {
        const auto made =
            directory_->set_alias({address, members, directory::List{"ben@a.test", post, "Our Staff"}}, kActor);
        ASSERT_TRUE(made) << made.error().text;
    }
    Answer check(const std::string& address, const std::optional<std::string>& sender = {}) {
        Recipient recipient;
        recipient.address = address;
        return deliverer_->check(recipient, 0, sender);
    }
    Outcome deliver(const std::string& address, const std::string& sender, std::string_view message = kMessage) {
        Recipient recipient;
        recipient.address = address;
        const Answer answer = deliverer_->check(recipient, 0, sender);
        EXPECT_TRUE(answer.positive()) << answer.text;
        Envelope envelope;
        envelope.reverse_path = sender;
        return deliverer_->deliver(envelope, {recipient}, message).front();
    }
    // What lies in the spool: the reverse-path and recipients of each, and its message.
    struct Spooled {
        std::string reverse_path, to, message;
    };
    std::vector<Spooled> spooled() {
        std::vector<Spooled> all;
        const auto entries = os::list_directory(paths_.spool + "/new").value();
        for (const auto& entry : entries) {
            const std::string path = paths_.spool + "/new/" + entry.name;
            const auto file = queue::SpoolFile::open(path).value();
            std::string to;
            for (const auto& recipient : file.envelope().recipients) to += recipient.address + " ";
            const std::string bytes = os::read_file(path).value();
            all.push_back({file.envelope().reverse_path, to, bytes});
        }
        return all;
    }
    std::string mail_of(const std::string& user, std::size_t count = 1) {
        std::string all;
        const std::string folder = paths_.mail + "/a.test/" + user + "/Maildir/new";
        const auto names = os::exists(folder) ? os::list_directory(folder).value() : std::vector<os::DirEntry>();
        EXPECT_EQ(names.size(), count) << user;
        for (const auto& entry : names) all += os::read_file(folder + "/" + entry.name).value();
        return all;
    }

    std::string root_;
    config::Paths paths_;
    std::shared_ptr<directory::Directory> directory_;
    std::unique_ptr<Deliverer> deliverer_;
};

TEST_F(Forward, RewritesTheSenderOfWhatLeavesAndTakesItsReportsBack) {
    ASSERT_TRUE(deliver("out@a.test", "bob@b.test").answer.positive());
    const auto all = spooled();
    ASSERT_EQ(all.size(), 1u);
    EXPECT_THAT(all[0].reverse_path, StartsWith("SRS0="));
    EXPECT_THAT(all[0].reverse_path, HasSubstr("=b.test=bob@a.test"));
    ASSERT_TRUE(os::unlink(paths_.spool + "/new/" + os::list_directory(paths_.spool + "/new").value().front().name));
    ASSERT_TRUE(deliver(all[0].reverse_path, "").answer.positive());
    const auto back = spooled();
    ASSERT_EQ(back.size(), 1u);
    EXPECT_EQ(back[0].to, "bob@b.test ");
    EXPECT_EQ(back[0].reverse_path, "");
}

TEST_F(Forward, LeavesOurOwnAndTheNullSenderAlone) {
    ASSERT_TRUE(deliver("out@a.test", "ann@a.test").answer.positive());
    ASSERT_TRUE(deliver("out@a.test", "").answer.positive());
    for (const auto& one : spooled()) EXPECT_THAT(one.reverse_path, Not(HasSubstr("SRS")));
    open("[srs]\nrewrite = false\n");
    ASSERT_TRUE(deliver("out@a.test", "bob@b.test").answer.positive());
    for (const auto& one : spooled()) EXPECT_THAT(one.reverse_path, Not(HasSubstr("SRS")));
}

TEST_F(Forward, RefusesRewrittenSendersThatAreNotOurs) {
    ASSERT_TRUE(directory_->set_alias("@a.test", {"ann@a.test"}, kActor));
    EXPECT_EQ(check("SRS0=AAAAAA=AA=b.test=bob@a.test").code, 550);
    EXPECT_EQ(check("SRS0=AAAAAA=AA=b.test=bob@a.test").enhanced, "5.7.1");
    EXPECT_EQ(check("srs1=x@a.test").code, 550);
    EXPECT_EQ(check("SRS0=AAAAAA=AA=b.test=bob@b.test").code, 551);
    EXPECT_EQ(check("srs@a.test").code, 250);  // somebody may be called so
}

TEST_F(Forward, ARewrittenSenderTakesReportsAlone) {
    ASSERT_TRUE(deliver("out@a.test", "bob@b.test").answer.positive());
    const std::string rewritten = spooled().at(0).reverse_path;
    EXPECT_EQ(check(rewritten, "").code, 250);
    EXPECT_EQ(check(rewritten, "spam@c.test").code, 550);
    EXPECT_EQ(check(rewritten, "spam@c.test").enhanced, "5.7.1");
}

TEST_F(Forward, WaitsWhereTheSecretCannotBeRead) {
    ASSERT_TRUE(deliver("out@a.test", "bob@b.test").answer.positive());
    const std::string rewritten = spooled().at(0).reverse_path;
    ASSERT_TRUE(os::rename(paths_.keys, root_ + "/away"));
    ASSERT_TRUE(os::replace_file(paths_.keys, "no directory"));
    open("");
    EXPECT_EQ(check(rewritten, "").code, 451) << "a report that is refused is lost";
    EXPECT_EQ(deliver("out@a.test", "bob@b.test").answer.code, 451);
    EXPECT_EQ(deliver("out@a.test", "ann@a.test").answer.code, 250);
    ASSERT_TRUE(os::unlink(paths_.keys));
    ASSERT_TRUE(os::rename(root_ + "/away", paths_.keys));
    EXPECT_EQ(check(rewritten, "").code, 250);
}

TEST_F(Forward, LeavesASenderAloneThatWouldBeTooLongRewritten) {
    std::string domain;
    for (int i = 0; i < 4; ++i) domain.append(60, 'd').append(".");
    domain += "test";
    for (const std::size_t length : {std::size_t{10}, std::size_t{64}}) {
        const std::string sender = std::string(length, 'l') + "@" + domain;
        ASSERT_TRUE(deliver("out@a.test", sender).answer.positive());
        bool rewritten = true;
        for (const auto& one : spooled()) rewritten &= one.reverse_path != sender;
        EXPECT_EQ(rewritten, length == 10);
    }
}

TEST_F(Forward, AListThatIsOutOfReachForAWhileIsLeftToTheQueueWhereOthersHaveTheMessage) {
    list("staff@a.test", {"ben@a.test"});
    ASSERT_TRUE(directory_->add_alias("team@a.test", {"ann@a.test", "staff@a.test"}, kActor));
    Recipient team;
    team.address = "team@a.test";
    ASSERT_TRUE(deliverer_->check(team, 0, "bob@b.test").positive());
    ASSERT_TRUE(directory_->remove_alias("staff@a.test", {}, kActor));
    Envelope envelope;
    envelope.reverse_path = "bob@b.test";
    EXPECT_EQ(deliverer_->deliver(envelope, {team}, kMessage)[0].answer.code, 250);
    mail_of("ann");
    ASSERT_EQ(spooled().size(), 1u);
    EXPECT_EQ(spooled()[0].to, "staff@a.test ");
    EXPECT_EQ(spooled()[0].reverse_path, "bob@b.test");
}

TEST_F(Forward, EachRecipientsListsAreCountedApart) {
    open("[directory]\nalias_size = 3\n");
    list("one@a.test", {"p@x.test", "q@x.test"});
    list("two@a.test", {"r@x.test", "s@x.test"});
    std::vector<Recipient> recipients(2);
    recipients[0].address = "one@a.test";
    recipients[1].address = "two@a.test";
    for (auto& one : recipients) ASSERT_TRUE(deliverer_->check(one, 0, "bob@b.test").positive());
    Envelope envelope;
    envelope.reverse_path = "bob@b.test";
    for (const auto& outcome : deliverer_->deliver(envelope, recipients, kMessage))
        EXPECT_EQ(outcome.answer.code, 250) << outcome.error;
    EXPECT_EQ(spooled().size(), 2u);
}

TEST_F(Forward, AListSaysTheSameToAllThatLeadToIt) {
    list("staff@a.test", {"ann@a.test"});
    ASSERT_TRUE(directory_->add_alias("team@a.test", {"staff@a.test"}, kActor));
    ASSERT_TRUE(directory_->remove_account("ann@a.test", kActor));
    std::vector<Recipient> recipients(2);
    recipients[0].address = "staff@a.test";
    recipients[1].address = "team@a.test";
    for (auto& one : recipients) ASSERT_TRUE(deliverer_->check(one, 0, "bob@b.test").positive());
    for (const auto& outcome : deliverer_->deliver({}, recipients, kMessage)) EXPECT_EQ(outcome.answer.code, 550);
}

TEST_F(Forward, AListSendsInItsOwnNameAndItsReportsGoToItsOwner) {
    list("staff@a.test", {"ann@a.test", "zoe@elsewhere.test"});
    const auto outcome = deliver("staff@a.test", "bob@b.test",
                                 "From: bob@b.test\r\nList-Id: <old.b.test>\r\nPrecedence: bulk\r\n\r\ntext\r\n");
    ASSERT_TRUE(outcome.answer.positive()) << outcome.error;
    const std::string near = mail_of("ann");
    EXPECT_THAT(near, HasSubstr("Return-Path: <ben@a.test>\n"));
    EXPECT_THAT(near, HasSubstr("List-Id: Our Staff <staff.a.test>\n"));
    EXPECT_THAT(near, HasSubstr("List-Unsubscribe: <mailto:ben@a.test?subject=unsubscribe%20staff@a.test>\n"));
    EXPECT_THAT(near, HasSubstr("Precedence: list\n"));
    EXPECT_THAT(near, Not(HasSubstr("old.b.test")));
    EXPECT_THAT(near, Not(HasSubstr("bulk")));
    EXPECT_THAT(near, HasSubstr("\n\ntext\n"));
    const auto far = spooled();
    ASSERT_EQ(far.size(), 1u);
    EXPECT_EQ(far[0].reverse_path, "ben@a.test");
    EXPECT_EQ(far[0].to, "zoe@elsewhere.test ");
    EXPECT_THAT(far[0].message, HasSubstr("List-Id: Our Staff <staff.a.test>\r\n"));
}

TEST_F(Forward, AListTakesMailFromThoseWhoMayWriteAlone) {
    list("staff@a.test", {"ann@a.test"}, "members");
    EXPECT_EQ(check("staff@a.test", "ann@a.test").code, 250);
    EXPECT_EQ(check("staff@a.test", "bob@b.test").code, 550);
    EXPECT_EQ(check("staff@a.test", "").code, 550);
    EXPECT_EQ(check("staff@a.test").code, 250);  // a sender that is not known: by hand
}

TEST_F(Forward, AListWhoseMembersAreAllGoneRefusesWhatNobodyWouldGet) {
    list("staff@a.test", {"ann@a.test"});
    ASSERT_TRUE(directory_->remove_account("ann@a.test", kActor));
    const auto outcome = deliver("staff@a.test", "bob@b.test");
    EXPECT_EQ(outcome.answer.code, 550);
    EXPECT_EQ(outcome.answer.enhanced, "5.1.1");
}

TEST_F(Forward, AMessageThatTheListSentDoesNotGoThroughItAgain) {
    list("staff@a.test", {"ann@a.test"});
    const auto outcome =
        deliver("staff@a.test", "bob@b.test", "List-Id: x <Staff.A.test>\r\nFrom: bob@b.test\r\n\r\ntext\r\n");
    EXPECT_EQ(outcome.answer.code, 554);
    mail_of("ann", 0);
}

TEST_F(Forward, AnAccountIsToldOnceWhenItComesToAShareOfItsQuota) {
    auto ann = directory_->find_account("ann@a.test").value().value();
    ann.quota_messages = 10;
    ASSERT_TRUE(directory_->change_account(ann, kActor));
    open("[quota]\nwarn_at = [\"80\", \"50\"]\n");
    for (int i = 0; i < 4; ++i) ASSERT_TRUE(deliver("ann@a.test", "bob@b.test").answer.positive());
    EXPECT_THAT(mail_of("ann", 4), Not(HasSubstr("% full")));
    ASSERT_TRUE(deliver("ann@a.test", "bob@b.test").answer.positive());
    const std::string told = mail_of("ann", 6);
    EXPECT_THAT(told, HasSubstr("Subject: ann@a.test is 50 % full\n"));
    EXPECT_THAT(told, HasSubstr("Auto-Submitted: auto-generated\n"));
    EXPECT_THAT(told, HasSubstr("in 5 of 10 messages."));
    open("[quota]\nwarn_at = [\"80\", \"50\"]\n");  // a restart does not say it again
    ASSERT_TRUE(deliver("ann@a.test", "bob@b.test").answer.positive());
    mail_of("ann", 7);
    ASSERT_TRUE(deliver("ann@a.test", "bob@b.test").answer.positive());  // the eighth
    EXPECT_THAT(mail_of("ann", 9), HasSubstr("Subject: ann@a.test is 80 % full\n"));
    // Room again, and full again: that is another time.
    ann.quota_messages = 1000;
    ASSERT_TRUE(directory_->change_account(ann, kActor));
    ASSERT_TRUE(deliver("ann@a.test", "bob@b.test").answer.positive());
    ann.quota_messages = 20;
    ASSERT_TRUE(directory_->change_account(ann, kActor));
    ASSERT_TRUE(deliver("ann@a.test", "bob@b.test").answer.positive());
    EXPECT_THAT(mail_of("ann", 12), HasSubstr("Subject: ann@a.test is 55 % full\n"));
}

TEST_F(Forward, AWarningThatCannotBeRememberedIsNotSaidWithEachMessage) {
    auto ann = directory_->find_account("ann@a.test").value().value();
    ann.quota_messages = 10;
    ASSERT_TRUE(directory_->change_account(ann, kActor));
    open("[quota]\nwarn_at = [\"10\"]\n");
    ASSERT_TRUE(os::make_directories(paths_.mail + "/a.test/ann/quota-told"));
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(deliver("ann@a.test", "bob@b.test").answer.positive());
    mail_of("ann", 3);
}

TEST_F(Forward, ADomainsPostmasterIsToldInHisOwnWords) {
    ASSERT_TRUE(directory_->set_domain_quota("a.test", {0, 2}, kActor));
    auto ben = directory_->find_account("ben@a.test").value().value();
    ben.admin = true;
    ASSERT_TRUE(directory_->change_account(ben, kActor));
    ASSERT_TRUE(os::replace_file(
        root_ + "/words", "Subject: Fast voll: {about}\n\n{percent} Prozent, {messages} von {limit_messages}\n"));
    open("[quota]\nwarn_at = [\"50\"]\nwarning_template = \"" + root_ + "/words\"\n");
    ASSERT_TRUE(deliver("ann@a.test", "bob@b.test").answer.positive());
    mail_of("ann", 1);
    const std::string told = mail_of("ben", 1);
    EXPECT_THAT(told, HasSubstr("Subject: Fast voll: a.test\n"));
    EXPECT_THAT(told, HasSubstr("\n\n50 Prozent, 1 von 2\n"));
}

TEST_F(Forward, ListsWithinListsReachEverybodyOnce) {
    list("inner@a.test", {"ben@a.test"});
    list("outer@a.test", {"ann@a.test", "inner@a.test"});
    ASSERT_TRUE(deliver("outer@a.test", "bob@b.test").answer.positive());
    EXPECT_THAT(mail_of("ann"), HasSubstr("<outer.a.test>"));
    EXPECT_THAT(mail_of("ben"), HasSubstr("<inner.a.test>"));
    EXPECT_THAT(mail_of("ben"), Not(HasSubstr("outer.a.test")));
}

TEST_F(Forward, ListsThatLeadToTooManyAreRefused) {
    open("[directory]\nalias_size = 3\n");
    list("one@a.test", {"p@x.test", "q@x.test"});
    list("two@a.test", {"r@x.test", "s@x.test"});
    // Not at definition: each is made alone, and the whole is made by a directory that knows no such limit.
    list("both@a.test", {"one@a.test", "two@a.test"});
    EXPECT_EQ(deliver("both@a.test", "bob@b.test").answer.code, 554);
}

}  // namespace
}  // namespace gk::delivery
