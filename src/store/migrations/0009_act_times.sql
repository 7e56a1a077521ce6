-- What was before an act is forgotten by age, at each act: without this each looked through all of them.
CREATE INDEX act_at ON act (at);
