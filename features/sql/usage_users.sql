-- Which users were ever seen at work?
-- Grain in: usage_user_weeks. Grain out: one row per account and user, with the number that stands for both.
SELECT DISTINCT
    user_no,
    account_id,
    user_key
FROM usage_user_weeks
WHERE user_no IS NOT NULL
