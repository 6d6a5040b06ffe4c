//! Several commands as one script: all of them or none, as a transaction.

use super::model::Words;

/// Runs commands, each given as the number of its words and its words; answers with their replies.
const RUN_ALL: &str = "local replies, at = {}, 1
while at <= #ARGV do
    local count = tonumber(ARGV[at])
    replies[#replies + 1] = redis.call(unpack(ARGV, at + 1, at + count))
    at = at + count + 1
end
return replies";

/// The EVAL that does what these commands do.
pub(crate) fn of<W: AsRef<[u8]>>(commands: &[Vec<W>]) -> Words {
    let mut words: Words = ["EVAL", RUN_ALL, "0"].map(|word| word.as_bytes().to_vec()).into();
    for command in commands {
        words.push(command.len().to_string().into_bytes());
        words.extend(command.iter().map(|word| word.as_ref().to_vec()));
    }
    words
}
