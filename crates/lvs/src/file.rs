//! FILE_CHECK: what the number in a tracked file means for a server. It is a function of the number and of nothing else.

use crate::settings::checkers::FileWeight;

/// What it adds to the weight; `None`: the server is down.
pub(crate) fn contribution(value: i32, weight: FileWeight) -> Option<i64> {
    if weight.weight == 0 {
        let down = (value != 0) != weight.reverse;
        return (!down).then_some(0);
    }
    let product = i64::from(value) * i64::from(weight.weight);
    let contribution = if weight.reverse { -product } else { product };
    (contribution > i64::from(i32::MIN)).then_some(contribution)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        let weight = |weight, reverse| FileWeight { weight, reverse };
        for (value, weight, wanted) in [
            (0, weight(0, false), Some(0)),
            (1, weight(0, false), None),
            (-1, weight(0, false), None),
            (0, weight(0, true), None),
            (7, weight(0, true), Some(0)),
            (7, weight(2, false), Some(14)),
            (7, weight(2, true), Some(-14)),
            (-7, weight(2, true), Some(14)),
            (i32::MIN, weight(1, false), None),
            (i32::MIN + 1, weight(1, false), Some(-2_147_483_647)),
            (
                i32::MAX,
                weight(i32::MAX, false),
                Some(i64::from(i32::MAX) * i64::from(i32::MAX)),
            ),
            (i32::MAX, weight(i32::MAX, true), None),
        ] {
            assert_eq!(contribution(value, weight), wanted, "{value} {weight:?}");
        }
    }
}
