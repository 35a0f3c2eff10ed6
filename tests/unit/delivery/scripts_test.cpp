// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>
#include <cstdlib>

#include "common/base/text.hpp"
#include "common/delivery/deliverer.hpp"
#include "common/message/header.hpp"
#include "common/os/file.hpp"
#include "common/queue/spool.hpp"
#include "common/sieve_scripts/store.hpp"

// Scripts of accounts, run and acted on by delivery as it is.
namespace gk::delivery {
namespace {

constexpr std::string_view kMessage =
    "From: bob@b.test\r\nTo: ann@a.test\r\nSubject: hello\r\nMessage-ID: <1@b.test>\r\n\r\ntext\r\n";

class DeliveryScripts : public ::testing::Test {
protected:
    void SetUp() override {
        char name[] = "/tmp/gk-scripts-XXXXXX";
        root_ = ::mkdtemp(name);
        paths_ = config::Paths::under(root_);
        for (const auto& dir : {paths_.mail, paths_.run, root_ + "/before", root_ + "/after", root_ + "/global"})
            ASSERT_TRUE(os::make_directories(dir));
        ASSERT_TRUE(queue::create_spool(paths_.spool));
        directory_ = directory::Directory::open(paths_, false).value();
        const directory::Actor actor{"test"};
        ASSERT_TRUE(directory_->add_domain("a.test", actor));
        ASSERT_TRUE(directory_->add_account("ann@a.test", {.name = "Ann Ä"}, actor));
        ASSERT_TRUE(directory_->add_account("ben@a.test", {}, actor));
        ASSERT_TRUE(directory_->add_alias("both@a.test", {"ann@a.test", "ben@a.test"}, actor));
        open("");
    }
    void TearDown() override {
        deliverer_.reset();
        (void)os::remove_tree(root_);
    }
    void open(std::string_view toml) {
        const std::string all = "[sieve]\nbefore = \"" + root_ + "/before\"\nafter = \"" + root_ +
                                "/after\"\nglobal = \"" + root_ + "/global\"\n" + std::string(toml);
        auto config = config::Config::parse(all, paths_);
        ASSERT_TRUE(config) << config.error().text;
        deliverer_ = Deliverer::open(*config).value();
    }
    void script(const std::string& text, const std::string& user = "ann") {
        const sieve_scripts::Store store(paths_.mail + "/a.test/" + user, {});
        auto writable = store;
        ASSERT_EQ(writable.put("main", text).value(), sieve_scripts::Room::Enough);
        ASSERT_TRUE(writable.activate("main"));
    }
    Outcome deliver(std::string_view message = kMessage, const std::string& to = "ann@a.test",
                    const std::string& from = "bob@b.test") {
        Recipient recipient;
        recipient.address = to;
        EXPECT_TRUE(deliverer_->check(recipient, 0).positive());
        Envelope envelope;
        envelope.reverse_path = from;
        envelope.trace_id = "01TRACE";
        envelope.body = queue::Body::EightBitMime;
        return deliverer_->deliver(envelope, {recipient}, message)[0];
    }
    std::vector<std::string> files(const std::string& user, const std::string& mailbox = "") const {
        std::vector<std::string> found;
        for (const char* sub : {"/new", "/cur"}) {
            const std::string at =
                paths_.mail + "/a.test/" + user + "/Maildir" + (mailbox.empty() ? "" : "/." + mailbox) + sub;
            const auto entries = os::list_directory(at);
            if (!entries) continue;
            for (const auto& entry : *entries) found.push_back(at + '/' + entry.name);
        }
        return found;
    }
    // Envelopes and messages in the spool, oldest first.
    std::vector<std::string> spooled() const {
        std::vector<std::string> found;
        auto entries = os::list_directory(paths_.spool + "/new").value();
        std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
        for (const auto& entry : entries) found.push_back(os::read_file(paths_.spool + "/new/" + entry.name).value());
        return found;
    }
    std::string root_;
    config::Paths paths_;
    std::shared_ptr<directory::Directory> directory_;
    std::unique_ptr<Deliverer> deliverer_;
};

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

TEST_F(DeliveryScripts, WithoutAScriptAllIsAsBefore) {
    const auto outcome = deliver();
    EXPECT_EQ(outcome.filed[0].mailbox, "INBOX");
    EXPECT_TRUE(outcome.deeds.empty());
}

TEST_F(DeliveryScripts, FileintoPutsItThereWithItsFlagsAndMakesTheMailboxWhereAsked) {
    script(
        "require [\"fileinto\", \"mailbox\", \"imap4flags\"];\nfileinto :create :flags [\"\\\\Seen\", \"work\"] "
        "\"Lists/gk\";");
    const auto outcome = deliver();
    EXPECT_TRUE(outcome.answer.positive());
    ASSERT_EQ(outcome.filed.size(), 1u);
    EXPECT_EQ(outcome.filed[0].mailbox, "Lists/gk");
    ASSERT_EQ(files("ann", "Lists.gk").size(), 1u);
    EXPECT_TRUE(contains(files("ann", "Lists.gk")[0], ":2,S")) << files("ann", "Lists.gk")[0];
    EXPECT_TRUE(files("ann").empty());
    ASSERT_EQ(outcome.deeds.size(), 1u);
    EXPECT_EQ(outcome.deeds[0].line, 2u);
    EXPECT_EQ(outcome.deeds[0].scripts, "main");
}

TEST_F(DeliveryScripts, AMailboxThatIsNotThereLeavesItInInboxAndTellsTheOwner) {
    script("require \"fileinto\";\nfileinto \"Nowhere\";");
    const auto outcome = deliver();
    EXPECT_EQ(outcome.filed[0].mailbox, "INBOX");
    EXPECT_TRUE(contains(outcome.deeds[0].error, "Nowhere"));
    EXPECT_TRUE(
        contains(os::read_file(paths_.mail + "/a.test/ann/sieve.log").value(), "there is no mailbox 'Nowhere'"));
}

TEST_F(DeliveryScripts, SpecialUseFindsTheMailboxByWhatItIsFor) {
    script("require [\"fileinto\", \"special-use\"];\nfileinto :specialuse \"\\\\Archive\" \"Elsewhere\";");
    EXPECT_EQ(deliver().filed[0].mailbox, "Archive");
}

TEST_F(DeliveryScripts, DiscardLeavesNothing) {
    script("discard;");
    const auto outcome = deliver();
    EXPECT_TRUE(outcome.answer.positive());
    EXPECT_TRUE(outcome.filed.empty());
    EXPECT_TRUE(files("ann").empty());
    EXPECT_EQ(outcome.deeds.at(0).action, "discard");
}

TEST_F(DeliveryScripts, RedirectGoesIntoTheSpoolWithTheSendersReversePath) {
    script("redirect \"zoe@c.test\";");
    const auto outcome = deliver();
    EXPECT_TRUE(outcome.answer.positive());
    EXPECT_TRUE(files("ann").empty());
    ASSERT_EQ(spooled().size(), 1u);
    const auto sent = spooled()[0];
    EXPECT_TRUE(contains(sent, "zoe@c.test")) << sent;
    EXPECT_TRUE(contains(sent, "bob@b.test"));
    EXPECT_TRUE(contains(sent, "Delivered-To: ann@a.test\r\nFrom: bob@b.test"));
    EXPECT_FALSE(outcome.spool_id.empty());
}

TEST_F(DeliveryScripts, ARedirectThatComesBackStaysHere) {
    script("redirect \"zoe@c.test\";");
    const auto outcome = deliver("Delivered-To: ann@a.test\r\n" + std::string(kMessage));
    EXPECT_TRUE(outcome.answer.positive());
    EXPECT_TRUE(spooled().empty());
    EXPECT_EQ(files("ann").size(), 1u);
    EXPECT_TRUE(contains(outcome.deeds[0].error, "loop"));
}

TEST_F(DeliveryScripts, RedirectWithCopyKeepsOneHere) {
    script("require \"copy\";\nredirect :copy \"zoe@c.test\";");
    deliver();
    EXPECT_EQ(files("ann").size(), 1u);
    EXPECT_EQ(spooled().size(), 1u);
}

TEST_F(DeliveryScripts, RejectIsAnswered550WithItsReason) {
    script("require \"ereject\";\nereject \"No more\nof this, bitte schön\";");
    const auto outcome = deliver();
    EXPECT_EQ(outcome.answer.code, 550);
    EXPECT_EQ(outcome.answer.enhanced, "5.7.1");
    EXPECT_EQ(outcome.answer.text, "No more of this, bitte sch?n");
    EXPECT_TRUE(files("ann").empty());
    EXPECT_TRUE(spooled().empty());
}

TEST_F(DeliveryScripts, RejectByOneOfAnAliasIsToldByADsn) {
    script("require \"reject\";\nreject \"not here\";");
    const auto outcome = deliver(kMessage, "both@a.test");
    EXPECT_TRUE(outcome.answer.positive());
    EXPECT_EQ(files("ben").size(), 1u);
    ASSERT_EQ(spooled().size(), 1u);
    EXPECT_TRUE(contains(spooled()[0], "550%205.7.1%20not%20here")) << spooled()[0];
}

TEST_F(DeliveryScripts, RejectByOneOfAnAliasIsToldOnceWhereTheOtherHasToWait) {
    ASSERT_TRUE(directory_->add_account("cat@a.test", {.name = "", .quota_bytes = 10}, directory::Actor{"test"}));
    ASSERT_TRUE(directory_->add_alias("pair@a.test", {"ann@a.test", "cat@a.test"}, directory::Actor{"test"}));
    script("require \"reject\";\nreject \"not here\";");
    const auto outcome = deliver(kMessage, "pair@a.test");
    EXPECT_TRUE(outcome.answer.positive()) << outcome.answer.text;  // 4yz brings it again, and another DSN with it
    ASSERT_EQ(spooled().size(), 1u);
    EXPECT_TRUE(contains(spooled()[0], "cat@a.test"));
    EXPECT_TRUE(contains(spooled()[0], "550%205.7.1%20not%20here"));
}

TEST_F(DeliveryScripts, RejectIsAnsweredToTheOneAndReportedToTheManyOfOneMessage) {
    script("require \"reject\";\nreject \"not here\";");
    std::vector<Recipient> recipients(2);
    recipients[0].address = "ann@a.test";
    recipients[1].address = "both@a.test";
    for (auto& one : recipients) ASSERT_TRUE(deliverer_->check(one, 0).positive());
    Envelope envelope;
    envelope.reverse_path = "bob@b.test";
    const auto outcomes = deliverer_->deliver(envelope, recipients, kMessage);
    EXPECT_EQ(outcomes[0].answer.code, 550);
    EXPECT_EQ(outcomes[1].answer.code, 250);
    EXPECT_EQ(files("ben").size(), 1u);
    ASSERT_EQ(spooled().size(), 1u);
    EXPECT_TRUE(contains(spooled()[0], "both@a.test"));
}

TEST_F(DeliveryScripts, NothingIsSentOnWhileWhatStaysCannotBeFiled) {
    script("require \"copy\";\nredirect :copy \"zoe@c.test\";");
    deliver();
    for (const char* sub : {"/tmp", "/new"}) {
        ASSERT_TRUE(os::remove_tree(paths_.mail + "/a.test/ann/Maildir" + sub));
        ASSERT_TRUE(os::replace_file(paths_.mail + "/a.test/ann/Maildir" + sub, "no directory"));
    }
    open("");
    EXPECT_EQ(deliver().answer.code / 100, 4);
    EXPECT_EQ(spooled().size(), 1u) << "each try would send another";
}

TEST_F(DeliveryScripts, WhatIsDoneIsNotDoneAgainBecauseTheRestFailed) {
    script("require \"fileinto\";\nfileinto \"Archive\";\nredirect \"zoe@c.test\";");
    const std::string looping = "Delivered-To: ann@a.test\r\n" + std::string(kMessage);
    deliver(looping);
    ASSERT_EQ(files("ann", "Archive").size(), 1u);
    for (const char* sub : {"/tmp", "/new"}) {
        ASSERT_TRUE(os::remove_tree(paths_.mail + "/a.test/ann/Maildir" + sub));
        ASSERT_TRUE(os::replace_file(paths_.mail + "/a.test/ann/Maildir" + sub, "no directory"));
    }
    open("");
    const auto outcome = deliver(looping);
    EXPECT_TRUE(outcome.answer.positive()) << outcome.error;
    EXPECT_EQ(files("ann", "Archive").size(), 2u);
    EXPECT_FALSE(outcome.deeds.back().error.empty());
}

TEST_F(DeliveryScripts, VacationDoesNotAnswerSpam) {
    sieve::Vacation away;
    away.to = "bob@b.test";
    away.from = "ann@a.test";
    Filtered filtered;
    filtered.outcome.actions.push_back({away, 1, 1, -1});
    FilterInput input;
    input.account = "ann@a.test";
    input.message = kMessage;
    input.home = root_;
    int sent = 0;
    Hands hands;
    hands.spool = [&](const queue::Envelope&, std::string_view, std::string_view) -> Result<std::string> {
        ++sent;
        return std::string("1");
    };
    hands.may_send_as = [](const std::string&) { return true; };
    Memory memory(root_, 10);
    Arrival arrival;
    EXPECT_TRUE(perform(filtered, input, arrival, memory, hands).status);
    EXPECT_EQ(sent, 1);
    arrival.junk = true;
    const auto done = perform(filtered, input, arrival, memory, hands);
    EXPECT_EQ(sent, 1);
    EXPECT_EQ(done.deeds.at(0).note, "the message is taken for spam");
}

TEST_F(DeliveryScripts, VacationAnswersASenderOnceAndForgetsNot) {
    script("require \"vacation\";\nvacation :days 3 \"away\";");
    deliver();
    deliver();
    ASSERT_EQ(spooled().size(), 1u);
    const auto answer = spooled()[0];
    EXPECT_TRUE(contains(answer, "To: bob@b.test")) << answer;
    EXPECT_TRUE(contains(answer, "Subject: Auto: hello\r\n"));
    EXPECT_TRUE(contains(answer, "In-Reply-To: <1@b.test>\r\nReferences: <1@b.test>\r\n"));
    EXPECT_TRUE(contains(answer, " <ann@a.test>\r\n"));
    EXPECT_EQ(files("ann").size(), 2u);
    EXPECT_EQ(deliver().deeds.at(0).note, "answered already");
    deliver(kMessage, "ann@a.test", "zoe@b.test");
    EXPECT_EQ(spooled().size(), 2u);
}

TEST_F(DeliveryScripts, VacationSaysNothingToMachinesListsAndItself) {
    script("require \"vacation\";\nvacation \"away\";");
    const std::string plain(kMessage);
    for (const std::string field : {"List-Id: <x.b.test>", "Precedence: bulk", "Auto-Submitted: auto-generated",
                                    "List-Unsubscribe: <mailto:x@b.test>", "Precedence: list"})
        deliver(field + "\r\n" + plain);
    for (const std::string from :
         {"", "owner-x@b.test", "x-request@b.test", "MAILER-DAEMON@b.test", "noreply@b.test", "ann@a.test"})
        deliver(plain, "ann@a.test", from);
    deliver(text::replace_all(plain, "To: ann@a.test", "To: others@b.test"));
    EXPECT_TRUE(spooled().empty());
    EXPECT_EQ(files("ann").size(), 12u);
}

TEST_F(DeliveryScripts, TwoOnVacationDoNotAnswerEachOthersAnswers) {
    script("require \"vacation\";\nvacation \"ann is away\";");
    script("require \"vacation\";\nvacation \"ben is away\";", "ben");
    deliver("From: ben@a.test\r\nTo: ann@a.test\r\nSubject: x\r\n\r\n", "ann@a.test", "ben@a.test");
    ASSERT_EQ(spooled().size(), 1u);
    const auto answer = spooled()[0].substr(spooled()[0].find("\nDate: ") + 1);
    deliver(answer, "ben@a.test", "");            // as it is sent: the null reverse-path
    deliver(answer, "ben@a.test", "ann@a.test");  // and if somebody's forwarder lost that
    EXPECT_EQ(spooled().size(), 1u);
}

TEST_F(DeliveryScripts, VacationWritesAsTheAccountAlone) {
    script("require \"vacation\";\nvacation :from \"boss@a.test\" \"away\";");
    const auto outcome = deliver();
    ASSERT_EQ(spooled().size(), 1u);
    EXPECT_TRUE(contains(spooled()[0], "From: ann@a.test"));
    EXPECT_TRUE(contains(outcome.deeds.at(0).note, "boss@a.test"));
}

TEST_F(DeliveryScripts, VacationKeepsACopyWhereAsked) {
    script("require [\"vacation\", \"fcc\"];\nvacation :fcc \"Sent\" \"away\";");
    deliver();
    ASSERT_EQ(files("ann", "Sent").size(), 1u);
    EXPECT_TRUE(os::read_file(files("ann", "Sent")[0])->starts_with("From: "));
}

TEST_F(DeliveryScripts, NotifySendsAMessageButNotForANotification) {
    script("require \"enotify\";\nnotify :importance \"1\" :message \"mail from bob\" \"mailto:phone@c.test\";");
    deliver();
    ASSERT_EQ(spooled().size(), 1u);
    EXPECT_TRUE(contains(spooled()[0], "Subject: mail from bob"));
    EXPECT_TRUE(contains(spooled()[0], "Auto-Submitted: auto-notified"));
    deliver("Auto-Submitted: auto-notified; owner-email=\"x@y.test\"\r\n" + std::string(kMessage));
    EXPECT_EQ(spooled().size(), 1u);
    EXPECT_EQ(files("ann").size(), 2u);
}

TEST_F(DeliveryScripts, DuplicatesAreKnownAgain) {
    script("require [\"duplicate\"];\nif duplicate { discard; }");
    deliver();
    deliver();
    EXPECT_EQ(files("ann").size(), 1u);
}

TEST_F(DeliveryScripts, WhatEditheaderChangedIsWhatIsStored) {
    script("require \"editheader\";\naddheader \"X-Seen\" \"yes\";\ndeleteheader \"Subject\";");
    deliver();
    const auto stored = os::read_file(files("ann").at(0)).value();
    EXPECT_TRUE(stored.starts_with("Return-Path: <bob@b.test>\nDelivered-To: ann@a.test\n")) << stored;
    EXPECT_TRUE(contains(stored, "X-Seen: yes\n"));
    EXPECT_FALSE(contains(stored, "Subject:"));
    EXPECT_TRUE(contains(stored, "\n\ntext\n"));
}

TEST_F(DeliveryScripts, AScriptThatIsWrongLeavesItInInbox) {
    script("fileinto \"x\";");
    const auto outcome = deliver();
    EXPECT_EQ(outcome.filed[0].mailbox, "INBOX");
    ASSERT_EQ(outcome.deeds.size(), 1u);
    EXPECT_TRUE(outcome.deeds[0].error.starts_with("main:1:")) << outcome.deeds[0].error;
    EXPECT_TRUE(contains(os::read_file(paths_.mail + "/a.test/ann/sieve.log").value(), "main:1:"));
}

TEST_F(DeliveryScripts, AdministratorsScriptsRunBeforeAndAfter) {
    ASSERT_TRUE(os::replace_file(root_ + "/before/10-spam.sieve",
                                 "if header :contains \"subject\" \"viagra\" { discard; stop; }"));
    ASSERT_TRUE(os::replace_file(root_ + "/after/10-rest.sieve",
                                 "require [\"fileinto\", \"mailbox\"]; fileinto :create \"Rest\";"));
    script("require \"fileinto\"; if header :contains \"subject\" \"hello\" { fileinto \"Archive\"; }");
    EXPECT_TRUE(deliver("Subject: viagra\r\n\r\n").filed.empty());
    EXPECT_EQ(deliver("Subject: hello\r\n\r\n").filed.at(0).mailbox, "Archive");
    EXPECT_EQ(deliver("Subject: other\r\n\r\n").filed.at(0).mailbox, "Rest");
    EXPECT_EQ(deliver("Subject: other\r\n\r\n", "ben@a.test").filed.at(0).mailbox, "Rest");
}

TEST_F(DeliveryScripts, AnIncludedScriptThatChangesIsReadAnew) {
    const sieve_scripts::Store store(paths_.mail + "/a.test/ann", {});
    auto writable = store;
    script("require \"include\"; include \"part\"; include :global \"all\";");
    ASSERT_TRUE(os::replace_file(root_ + "/global/all.sieve", "keep;"));
    ASSERT_TRUE(writable.put("part", "require \"fileinto\"; fileinto \"Archive\";"));
    deliver();
    EXPECT_EQ(files("ann", "Archive").size(), 1u);
    EXPECT_EQ(files("ann").size(), 1u);
    ASSERT_TRUE(writable.put("part", "require \"fileinto\"; fileinto \"Sent\";"));
    deliver();
    EXPECT_EQ(files("ann", "Archive").size(), 1u);
    EXPECT_EQ(files("ann", "Sent").size(), 1u);
}

TEST_F(DeliveryScripts, ThePlanSaysWhatWouldBeDoneAndDoesNothing) {
    script(
        "require [\"fileinto\", \"copy\", \"vacation\"];\nredirect :copy \"zoe@c.test\";\nvacation \"away\";\nfileinto "
        "\"Archive\";");
    Recipient recipient;
    recipient.address = "ann@a.test";
    ASSERT_TRUE(deliverer_->check(recipient, 0).positive());
    EXPECT_TRUE(deliverer_->is_filtered(recipient).value());
    Envelope envelope;
    envelope.reverse_path = "bob@b.test";
    const auto planned = deliverer_->plan(recipient, {}, &envelope, kMessage).value();
    ASSERT_EQ(planned.size(), 3u);
    EXPECT_EQ(planned[0].external, "zoe@c.test");
    EXPECT_EQ(planned[2].mailbox, "Archive");
    EXPECT_TRUE(contains(planned[1].sieve, "vacation to bob@b.test"));
    EXPECT_TRUE(spooled().empty());
    EXPECT_TRUE(files("ann", "Archive").empty());
}

}  // namespace
}  // namespace gk::delivery
