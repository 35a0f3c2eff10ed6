// SPDX-License-Identifier: MIT
#include "common/store/threads.hpp"

#include <fmt/format.h>
#include <map>

#include "common/store/object_id.hpp"
#include "tests/unit/store/store_fixture.hpp"

namespace gk::store {
namespace {

class Threads : public StoreTest {
protected:
    Uid mail(const std::string& box, const std::string& id, const std::string& fields = "", std::int64_t date = 0) {
        IncomingMessage message;
        message.internal_date = 1'700'000'000 + (date != 0 ? date : ++clock_);
        return deliver(box, (id.empty() ? "" : "Message-ID: <" + id + ">\r\n") + fields + "Subject: x\r\n\r\n.\r\n",
                       message);
    }
    // Mailbox and UID to thread.
    std::map<std::pair<std::string, Uid>, std::uint64_t> threads() {
        EXPECT_TRUE(account_->reconcile());
        Threading threading(account_);
        for (;;) {
            const auto done = threading.resume();
            EXPECT_TRUE(done) << done.error().text;
            if (!done || *done) break;
        }
        std::map<std::pair<std::string, Uid>, std::uint64_t> all;
        const auto list = account_->list();
        for (const auto& entry : *list) {
            const auto there = uids(entry.name);
            EXPECT_TRUE(mailbox(entry.name).threads(there, [&](const ThreadRow& row) {
                all[{entry.name, row.uid}] = row.thread;
                return true;
            }));
        }
        return all;
    }
    std::int64_t clock_ = 0;
};

TEST_F(Threads, HoldsAConversationTogetherOverAllMailboxes) {
    mail("INBOX", "a@x");
    mail("Sent", "b@x", "In-Reply-To: <a@x>\r\n");
    mail("INBOX", "c@x", "In-Reply-To: your mail <b@x> of today\r\n");
    mail("Archive", "d@x", "References: <a@x> <b@x>\r\n <c@x>\r\n");
    mail("INBOX", "e@x");  // the same subject is no reason
    const auto all = threads();
    EXPECT_EQ(all.at({"Sent", 1}), all.at({"INBOX", 1}));
    EXPECT_EQ(all.at({"INBOX", 2}), all.at({"INBOX", 1}));
    EXPECT_EQ(all.at({"Archive", 1}), all.at({"INBOX", 1}));
    EXPECT_NE(all.at({"INBOX", 3}), all.at({"INBOX", 1}));
    EXPECT_EQ(threads(), all);
}

TEST_F(Threads, AreTheSameAfterTheIndexWasDeleted) {
    // Each of these pairs is asked about before the next comes, so that lateness matters.
    mail("INBOX", "c@x", "In-Reply-To: <b@x>\r\n", 30);
    auto all = threads();
    mail("INBOX", "b@x", "In-Reply-To: <a@x>\r\n", 20);  // late: joins the one that answers it
    mail("Sent", "a@x", "", 10);
    all = threads();
    EXPECT_EQ(all.at({"INBOX", 2}), all.at({"INBOX", 1}));
    mail("INBOX", "d@x", "In-Reply-To: <c@x>\r\n");
    mail("INBOX", "d@x", "In-Reply-To: <other@x>\r\n");  // an id twice
    mail("Sent", "");
    mail("Sent", "");
    mail("INBOX", "no at", "References: <> <@> <x> junk\r\n");
    for (int i = 0; i < 1200; ++i)
        write_file(fmt::format("{}/cur/{}.M{}.host:2,S", path("Archive"), 1'700'000'000 + i, i),
                   fmt::format("Message-ID: <r{}@x>\nIn-Reply-To: <r{}@x>\n\n.\n", i, i < 3 ? i + 5000 : i / 3));
    all = threads();
    EXPECT_EQ(all.size(), 2u + 1 + 2 + 2 + 1 + 1200);
    EXPECT_EQ(all.at({"INBOX", 3}), all.at({"INBOX", 1}));
    EXPECT_EQ(all.at({"INBOX", 4}), all.at({"INBOX", 3}));
    EXPECT_NE(all.at({"Sent", 2}), all.at({"Sent", 3}));
    EXPECT_EQ(all.at({"Archive", 1200}), all.at({"Archive", 2}));  // 1199, 399, 133, 44, 14, 4, 1
    ASSERT_TRUE(mailbox("INBOX").copy(std::vector<Uid>{1, 3}, "Trash"));
    ASSERT_TRUE(mailbox("INBOX").move(std::vector<Uid>{2}, "Trash"));
    ASSERT_TRUE(mailbox("Sent").copy(std::vector<Uid>{2}, "Trash"));
    all = threads();
    EXPECT_EQ(all.at({"Trash", 1}), all.at({"INBOX", 1}));
    EXPECT_EQ(all.at({"Trash", 3}), all.at({"INBOX", 1}));
    EXPECT_EQ(all.at({"Trash", 4}), all.at({"Sent", 2}));
    for (int i = 0; i < 3; ++i) {
        reopen(true);
        if (i != 1) {
            EXPECT_EQ(threads(), all);
            continue;
        }
        // A copy that is made before anybody asks.
        const auto copied = mailbox("Trash").copy(std::vector<Uid>{2}, "Drafts");
        ASSERT_TRUE(copied);
        const auto now = threads();
        const std::pair<std::string, Uid> copy("Drafts", copied->uids.at(0).second);
        EXPECT_EQ(now.at(copy), all.at({"Trash", 2}));
        all[copy] = now.at(copy);
        EXPECT_EQ(now, all);
    }
}

TEST_F(Threads, StayWhenALateMessageWouldJoinTwo) {
    mail("INBOX", "a@x");
    mail("INBOX", "c@x", "In-Reply-To: <b@x>\r\n");
    const auto before = threads();
    EXPECT_NE(before.at({"INBOX", 1}), before.at({"INBOX", 2}));
    mail("INBOX", "b@x", "In-Reply-To: <a@x>\r\n");
    auto after = threads();
    EXPECT_EQ(after.at({"INBOX", 3}), before.at({"INBOX", 2}));
    after.erase({"INBOX", 3});
    EXPECT_EQ(after, before);
}

TEST_F(Threads, AreBoundedHoweverManyIdsAMessageNames) {
    std::string references = "References:";
    for (int i = 0; i < 10'000; ++i) references += fmt::format(" <r{}@x>\r\n", i);
    mail("INBOX", "many@x", references + "In-Reply-To: <self@x>\r\n");
    mail("INBOX", "self@x", "References: <self@x> <self@x>\r\n");
    mail("INBOX", "p@x", "References: <q@x>\r\n");
    mail("INBOX", "q@x", "References: <p@x>\r\n");
    mail("INBOX", "last@x", "In-Reply-To: <r9999@x>\r\n");
    mail("INBOX", "first@x", "In-Reply-To: <r0@x>\r\n");
    const auto all = threads();
    EXPECT_EQ(all.at({"INBOX", 3}), all.at({"INBOX", 4}));
    EXPECT_EQ(all.at({"INBOX", 5}), all.at({"INBOX", 1}));
    EXPECT_EQ(all.at({"INBOX", 6}), all.at({"INBOX", 1}));
    const std::vector<Uid> one{1};
    EXPECT_TRUE(mailbox("INBOX").threads(one, [](const ThreadRow& row) {
        EXPECT_EQ(row.ancestors.size(), 256u);
        return true;
    }));
}

TEST_F(Threads, CostNothingWhereNothingIsNew) {
    mail("INBOX", "a@x");
    threads();
    const auto state = read(path("INBOX") + "/gk-state"), list = read(path("INBOX") + "/dovecot-uidlist");
    threads();
    EXPECT_EQ(read(path("INBOX") + "/gk-state"), state);
    EXPECT_EQ(read(path("INBOX") + "/dovecot-uidlist"), list);
    EXPECT_NE(state.find("threads 1\n"), std::string::npos) << state;
}

}  // namespace
}  // namespace gk::store
